//! The ledger: `spend#<day>#<shard>` is one shard of one day, updated without being read first.
//!
//! A shard holds what its messages have cost, in all (`total`) and by region (`cCN`), and the codes
//! sent to a region (`nCN`) and redeemed there (`vCN`). DynamoDB serialises plain updates, so none is
//! refused because of another. A release is a transaction, which they may have to wait for.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, Update};

use super::{
    Key, Seen, Store,
    item::{Item, count, number, primary_key},
    op::Op,
    repeat::{self, Updated},
    transaction::{Transaction, update_part},
};
use crate::domain::{
    budget::{Budget, Charge, MicroUsd, Shard, Tally},
    error::Error,
    region::Region,
};

/// How long a shard is of use: for its day's caps, and on the next day for what is usual.
const KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

fn pk(shard: Shard) -> String {
    format!("spend#{}#{}", shard.day, shard.number)
}

/// How reserving a message's price went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ReserveOutcome {
    /// Reserved; what the shard holds now.
    Done(Tally),
    /// The shard has no room for the price.
    Full,
}

impl Key {
    /// A shard.
    pub fn shard(shard: Shard) -> Self {
        Self::of_codes(pk(shard))
    }
}

impl Store {
    /// Reserves a message's price in a shard, if there is room for it.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails. The price may be reserved all the same, even twice: the
    /// ledger then holds too much and never too little.
    pub async fn reserve(
        &self,
        budget: &Budget,
        shard: Shard,
        charge: &Charge,
    ) -> Result<ReserveOutcome, Error> {
        let Some((room, region_room)) = budget.room(charge) else {
            return Ok(ReserveOutcome::Full);
        };
        let expires = (shard.day * 24 * 60 * 60) + KEPT.as_secs();
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(pk(shard))))
            .update_expression("ADD #total :price, #region :price, #sent :codes SET #ttl = :ttl")
            .condition_expression(
                "(attribute_not_exists(#total) OR #total <= :room) AND \
                 (attribute_not_exists(#region) OR #region <= :region_room)",
            )
            .set_expression_attribute_names(Some(names(charge.region)))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":price", number(charge.price.0))
            .expression_attribute_values(":codes", number(charge.codes))
            .expression_attribute_values(":room", number(room.0))
            .expression_attribute_values(":region_room", number(region_room.0))
            .expression_attribute_values(":ttl", number(expires))
            .return_values(ReturnValue::AllNew);
        Ok(match repeat::update(update).await? {
            Updated::Done(item) => ReserveOutcome::Done(tally(&item, charge.region)),
            Updated::Refused(_) => ReserveOutcome::Full,
        })
    }

    /// Releases the price of a message that was not sent. It is a transaction of one write, for its
    /// idempotency token: done twice, it would leave less in the ledger than was spent.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the price stays reserved.
    pub async fn release(&self, shard: Shard, charge: &Charge) -> Result<(), Error> {
        let minus = |n: u64| AttributeValue::N(format!("-{n}"));
        let update = Update::builder()
            .table_name(&self.codes)
            .set_key(Some(primary_key(pk(shard))))
            .update_expression("ADD #total :price, #region :price, #sent :codes")
            .condition_expression("attribute_exists(pk)")
            .set_expression_attribute_names(Some(names(charge.region)))
            .expression_attribute_values(":price", minus(charge.price.0))
            .expression_attribute_values(":codes", minus(charge.codes));
        match self.transact(vec![update_part(update)?]).await? {
            // Cancelled, the shard has expired, and with it the price.
            Transaction::Done | Transaction::Cancelled(_) => Ok(()),
        }
    }

    /// Counts a code of a shard as redeemed.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn count_redeemed(&self, shard: Shard, region: Region) -> Result<(), Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(pk(shard))))
            .update_expression(format!("ADD #verified :one SET {}", Op::SET))
            // A shard that has expired is not created again.
            .condition_expression(format!("attribute_exists(pk) AND {}", Op::IS_NEW))
            .expression_attribute_values(Op::VALUE, Op::draw()?.value())
            .expression_attribute_names("#verified", format!("v{region}"))
            .expression_attribute_values(":one", number(1));
        repeat::update(update).await.map(drop)
    }
}

impl Seen {
    /// What a shard holds of a region.
    pub fn tally(&self, shard: Shard, region: Region) -> Tally {
        let item = self.item(&Key::shard(shard));
        item.map_or_else(Tally::default, |item| tally(item, region))
    }
}

/// The names of the attributes that a charge changes. A region's contain its code.
fn names(region: Region) -> HashMap<String, String> {
    let names = [
        ("#total", "total".to_owned()),
        ("#region", format!("c{region}")),
        ("#sent", format!("n{region}")),
    ];
    names
        .map(|(name, attribute)| (name.to_owned(), attribute))
        .into()
}

fn tally(item: &Item, region: Region) -> Tally {
    Tally {
        total: MicroUsd(count(item, "total")),
        region: MicroUsd(count(item, &format!("c{region}"))),
        codes_sent: count(item, &format!("n{region}")),
        codes_used: count(item, &format!("v{region}")),
    }
}
