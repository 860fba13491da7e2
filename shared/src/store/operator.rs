//! What operators read and write, and no endpoint does.

use std::collections::HashMap;

use super::{
    Key, Seen, Store,
    failure::failed,
    item::{PK, attribute, number, primary_key, text},
    recent_events::marks,
    repeat::{self, Updated},
    users::parse_user,
};
use crate::domain::{
    error::Error,
    session::Sessions,
    time::UnixMs,
    user::{Uid, User},
    window::Window,
};

/// How many keys one call of DynamoDB reads
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>).
const KEYS_AT_ONCE: usize = 100;

/// A part of all accounts.
#[derive(Debug)]
pub struct Page {
    /// The accounts.
    pub accounts: Vec<User>,
    /// Where the next part begins, if there is one.
    pub next: Option<String>,
}

impl Seen {
    /// When the events of an item that counts them were, newest first.
    pub fn moments(&self, key: &Key) -> Window {
        let moments = marks(self.item(key)).filter(|mark| *mark > 0);
        Window(moments.map(UnixMs).collect())
    }
}

impl Store {
    /// Reads any number of items.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn read_all(&self, keys: &[Key]) -> Result<Seen, Error> {
        let mut items = HashMap::new();
        for keys in keys.chunks(KEYS_AT_ONCE) {
            items.extend(self.read(keys).await?.items);
        }
        Ok(Seen { items })
    }

    /// Deletes items; how many there were.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; some may be deleted.
    pub async fn forget(&self, keys: &[Key]) -> Result<usize, Error> {
        let mut forgotten = 0;
        for key in keys {
            let delete = self.client.delete_item().table_name(self.table(key.table));
            let delete = delete.set_key(Some(primary_key(key.pk.clone())));
            forgotten += usize::from(repeat::delete(delete).await?);
        }
        Ok(forgotten)
    }

    /// Sets an account's status, and ends its sessions unless that makes it active; whether the account is there.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails; the write may have happened.
    pub async fn set_status(&self, uid: Uid, status: u64) -> Result<bool, Error> {
        let mut values = HashMap::from([(":status".to_owned(), number(status))]);
        let mut change = "SET #status = :status".to_owned();
        if status != 0 {
            change.push_str(", sessions = :none");
            values.insert(":none".to_owned(), attribute(&Sessions::default())?);
        }
        let update = self
            .update_of(uid)
            .update_expression(change)
            .condition_expression("attribute_exists(#status)")
            .expression_attribute_names("#status", "status")
            .set_expression_attribute_values(Some(values));
        Ok(matches!(repeat::update(update).await?, Updated::Done(_)))
    }

    /// At most so many accounts after this key, in no order.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails or an item is not one of ours.
    pub async fn accounts(&self, after: Option<String>, most: usize) -> Result<Page, Error> {
        let scan = self.client.scan().table_name(&self.users);
        let scan = scan
            .consistent_read(true)
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(primary_key))
            .filter_expression("begins_with(pk, :user)")
            .expression_attribute_values(":user", text("user#"));
        let page = scan.send().await.map_err(|error| failed("Scan", &error))?;
        let mut accounts = Vec::new();
        for item in page.items.unwrap_or_default() {
            accounts.extend(parse_user(Some(item))?);
        }
        let next = page.last_evaluated_key.and_then(|mut key| key.remove(PK));
        let next = next.and_then(|pk| pk.as_s().ok().cloned());
        Ok(Page { accounts, next })
    }
}
