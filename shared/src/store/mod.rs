//! DynamoDB: two tables, one key attribute, and every condition that the guarantees rest on.
//!
//! Pure code decides on what was read, and the decision is written on condition that what was read
//! still holds. Each write reports its outcome. A lost race (`Raced`) is decided again by the caller.
//! Each round of a race has a winner, and tries and sends are limited, so races end.
//!
//! Two things are no failures, and no caller sees them:
//! - A transaction holds an item, or there is no capacity left. The call has done nothing and is repeated
//!   after a pause, eight times at most (`repeat.rs`).
//! - The answer of a write is lost, and the SDK repeats the write. The repeat finds the work done: a
//!   transaction by its token, a shift or an addition by the name that it left on the item (`op.rs`). The
//!   other writes change nothing the second time, but [`Store::reserve`], which errs on the safe side.
//!
//! Each file has one subject: its item, its conditions, its outcome.
//!
//! | file | item | table |
//! |---|---|---|
//! | [`slots`] | the slot, under its [`SlotKey`](crate::domain::slot_key::SlotKey) | codes |
//! | [`sends`] | `sends#+86…`: the recent sends to a phone; `asked#<slot>#+86…`: those of a slot | codes |
//! | [`sources`] | `source#<address>`: the recent sends that a source asked for | codes |
//! | [`wrong_codes`] | `wrong-codes#+86…`: the recent wrong codes for a phone | codes |
//! | [`attempts`] | `attempts#<uid>`: the recent wrong passwords of an account | codes |
//! | [`resets`] | `reset#<hash>`: a reset token | codes |
//! | [`control`] | `control#stop`: the operator's switch | codes |
//! | [`kept`] | `kept#<uid>`: the recent messages to an account from kept money | codes |
//! | [`ledger`] | `spend#<day>#<shard>`: a shard of the ledger | codes |
//! | [`users`], [`sessions`] | `user#<uid>`: an account and its sessions | users |
//! | [`deletions`] | what is left of `user#<uid>`: a tombstone | users |
//! | [`operator`] | any, for operators | both |
//! | [`owners`] | `phone#+86…`, `name#<folded>`: the account that has a phone or a name | users |
//!
//! All items of the codes table but the switch expire by their attribute `ttl`.

pub mod attempts;
pub mod control;
pub mod deletions;
mod failure;
mod item;
pub mod kept;
pub mod ledger;
pub mod ledger_cache;
mod op;
pub mod operator;
pub mod owners;
mod recent_events;
mod repeat;
pub mod resets;
pub mod sends;
pub mod sessions;
pub mod slots;
pub mod sources;
pub mod start;
pub mod transaction;
pub mod users;
pub mod wrong_codes;

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes},
};

use crate::domain::error::Error;
use failure::{failed, unbuildable};
use item::{Item, PK, primary_key};
use repeat::Pauses;

/// How long an item outlives its use, in case clocks differ, before DynamoDB may delete it.
const TTL_MARGIN: Duration = Duration::from_secs(60 * 60);

/// The tables.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    users: String,
    codes: String,
}

/// The name of an item to read. The file of its subject makes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    table: Table,
    pk: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Table {
    Users,
    Codes,
}

/// Items that were read. Each was read strongly consistently; together they need not be of one moment.
pub struct Seen {
    items: HashMap<String, Item>,
}

impl Store {
    /// The store in these tables.
    pub fn new(client: Client, users: String, codes: String) -> Self {
        Self {
            client,
            users,
            codes,
        }
    }

    /// Reads everything that a decision needs, in one round trip. Keys that DynamoDB leaves unread, as
    /// it does when it has no capacity left, are asked for again, after growing pauses, eight times at
    /// most
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>).
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn read(&self, keys: &[Key]) -> Result<Seen, Error> {
        let mut by_table: HashMap<Table, Vec<Item>> = HashMap::new();
        for key in keys {
            let of_table = by_table.entry(key.table).or_default();
            of_table.push(primary_key(key.pk.clone()));
        }
        let mut wanted = HashMap::new();
        for (table, keys) in by_table {
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true);
            let keys = keys.build().map_err(unbuildable)?;
            wanted.insert(self.table(table).to_owned(), keys);
        }
        let (mut items, mut pauses) = (HashMap::new(), Pauses::default());
        while !wanted.is_empty() {
            let batch = self.client.batch_get_item().set_request_items(Some(wanted));
            let batch = batch
                .send()
                .await
                .map_err(|error| failed("BatchGetItem", &error))?;
            let found = batch.responses.into_iter().flatten();
            for item in found.flat_map(|(_, items)| items) {
                if let Some(AttributeValue::S(pk)) = item.get(PK) {
                    items.insert(pk.clone(), item);
                }
            }
            wanted = batch.unprocessed_keys.unwrap_or_default();
            if !wanted.is_empty() && !pauses.before_repeat().await {
                return Err(Error::passing("DynamoDB BatchGetItem: no capacity"));
            }
        }
        Ok(Seen { items })
    }

    /// Reads one item.
    async fn get(&self, key: Key) -> Result<Option<Item>, Error> {
        let get = self
            .client
            .get_item()
            .table_name(self.table(key.table))
            .set_key(Some(primary_key(key.pk)));
        let got = get.consistent_read(true).send().await;
        Ok(got.map_err(|error| failed("GetItem", &error))?.item)
    }

    fn table(&self, table: Table) -> &str {
        match table {
            Table::Users => &self.users,
            Table::Codes => &self.codes,
        }
    }
}

impl Key {
    fn of_users(pk: String) -> Self {
        let table = Table::Users;
        Self { table, pk }
    }

    fn of_codes(pk: String) -> Self {
        let table = Table::Codes;
        Self { table, pk }
    }
}

impl Seen {
    fn item(&self, key: &Key) -> Option<&Item> {
        self.items.get(&key.pk)
    }
}
