//! The money ledger's shards: `spend#<day>#<shard>`, counted up without being read first.
//!
//! A shard holds what its messages have cost, `total` and by country (`c86`), and the country's codes
//! sent (`n86`) and used (`v86`). Plain updates: DynamoDB takes them one after the other, so none is
//! refused because of another.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    types::{AttributeValue, ReturnValue, TransactWriteItem, Update},
};

use super::{
    CONDITION_FAILED, Item, Outcome, Reason, Seen, Store, Transaction, count, failed, number,
    primary_key, unbuildable,
};
use crate::domain::{
    budget::{Budget, Charge, MicroUsd, Shard, Tally},
    error::Error,
    phone::CountryCode,
};

/// How long a shard is of use: today's money, and tomorrow what was usual yesterday.
const KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

pub(super) fn key(shard: Shard) -> String {
    format!("spend#{}#{}", shard.day, shard.number)
}

/// How reserving a message's price went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Reserved {
    /// It is reserved; what the shard holds now.
    Done(Tally),
    /// The shard has no room for it.
    Full,
}

impl Store {
    /// Reserves a message's price in a shard, if there is room for it.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; it may be reserved all the same, perhaps twice, so
    /// that the ledger holds too much rather than too little.
    pub async fn reserve(
        &self,
        budget: &Budget,
        shard: Shard,
        charge: &Charge,
    ) -> Result<Reserved, Error> {
        let Some((room, country_room)) = budget.room(charge) else {
            return Ok(Reserved::Full);
        };
        let expires = (shard.day * 24 * 60 * 60) + KEPT.as_secs();
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(key(shard))))
            .update_expression("ADD #total :price, #country :price, #sent :codes SET #ttl = :ttl")
            .condition_expression(
                "(attribute_not_exists(#total) OR #total <= :room) AND \
                 (attribute_not_exists(#country) OR #country <= :country_room)",
            )
            .set_expression_attribute_names(Some(names(charge.country)))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":price", number(charge.price.0))
            .expression_attribute_values(":codes", number(charge.codes))
            .expression_attribute_values(":room", number(room.0))
            .expression_attribute_values(":country_room", number(country_room.0))
            .expression_attribute_values(":ttl", number(expires))
            .return_values(ReturnValue::AllNew);
        match update.send().await {
            Ok(updated) => {
                let item = updated.attributes.unwrap_or_default();
                Ok(Reserved::Done(tally(&item, charge.country)))
            }
            Err(error) if error.code() == Some(CONDITION_FAILED) => Ok(Reserved::Full),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }

    /// Gives back what a message that was not sent would have cost. A transaction, though it is one
    /// write: its token keeps it from being done twice when its answer is lost, or the ledger would
    /// hold less than was spent. [`Outcome::Raced`] when a send was at the shard in that moment: ask
    /// again.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; it stays reserved.
    pub async fn release(&self, shard: Shard, charge: &Charge) -> Result<Outcome, Error> {
        let minus = |n: u64| AttributeValue::N(format!("-{n}"));
        let update = Update::builder()
            .table_name(&self.codes)
            .set_key(Some(primary_key(key(shard))))
            .update_expression("ADD #total :price, #country :price, #sent :codes")
            .condition_expression("attribute_exists(pk)")
            .set_expression_attribute_names(Some(names(charge.country)))
            .expression_attribute_values(":price", minus(charge.price.0))
            .expression_attribute_values(":codes", minus(charge.codes));
        let update = update.build().map_err(unbuildable)?;
        let write = TransactWriteItem::builder().update(update).build();
        match self.transact(vec![write]).await? {
            Transaction::Done => Ok(Outcome::Done),
            Transaction::Cancelled(reasons) => match reasons[..] {
                [Reason::Conflict] => Ok(Outcome::Raced),
                // The shard has expired, and what was reserved in it.
                _ => Ok(Outcome::Done),
            },
        }
    }

    /// Counts codes of a shard as used.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn count_verified(
        &self,
        shard: Shard,
        country: CountryCode,
        codes: u64,
    ) -> Result<(), Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.codes)
            .set_key(Some(primary_key(key(shard))))
            .update_expression("ADD #verified :codes")
            // A shard that has expired is not begun anew.
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#verified", format!("v{country}"))
            .expression_attribute_values(":codes", number(codes));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(CONDITION_FAILED) => Ok(()),
            Err(error) => Err(failed("UpdateItem", &error)),
        }
    }
}

impl Seen {
    /// What a shard holds of a country.
    pub fn tally(&self, shard: Shard, country: CountryCode) -> Tally {
        let item = self.items.get(&key(shard));
        item.map_or_else(Tally::default, |item| tally(item, country))
    }
}

/// The names of what a charge changes; a country's are made of its code.
fn names(country: CountryCode) -> HashMap<String, String> {
    let names = [
        ("#total", "total".to_owned()),
        ("#country", format!("c{country}")),
        ("#sent", format!("n{country}")),
    ];
    names
        .map(|(name, attribute)| (name.to_owned(), attribute))
        .into()
}

fn tally(item: &Item, country: CountryCode) -> Tally {
    Tally {
        total: MicroUsd(count(item, "total")),
        country: MicroUsd(count(item, &format!("c{country}"))),
        codes_sent: count(item, &format!("n{country}")),
        codes_used: count(item, &format!("v{country}")),
    }
}
