//! Owners: the items `phone#<e164>` and `name#<folded>` name the account that has a phone or a name, and so
//! make both unique.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use futures_util::future::join;
use serde::{Deserialize, Serialize};

use super::{
    Key, Seen, Store,
    failure::unbuildable,
    item::{attribute, number, parse, primary_key, serialize},
    repeat,
    transaction::put_part,
};
use crate::domain::{
    client::KnownAddresses,
    error::Error,
    phone::Phone,
    time::UnixMs,
    user::{Name, Uid, User},
};

/// The account that has a phone or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub uid: Uid,
    /// When it was created.
    pub created_at: UnixMs,
    /// The addresses that it knows: the same by its phone and by its name.
    pub known: KnownAddresses,
}

#[derive(Serialize, Deserialize)]
struct OwnerItem {
    pk: String,
    uid: Uid,
    created_ms: UnixMs,
    #[serde(default, skip_serializing_if = "is_empty")]
    known: KnownAddresses,
}

fn is_empty(known: &KnownAddresses) -> bool {
    known.0.is_empty()
}

impl Key {
    /// The owner of a phone.
    pub fn phone_owner(phone: &Phone) -> Self {
        Self::of_users(format!("phone#{}", phone.e164()))
    }

    /// The owner of a name.
    pub fn name_owner(name: &Name) -> Self {
        Self::of_users(format!("name#{}", name.folded()))
    }
}

impl Seen {
    /// The account that has a phone.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn owner_by_phone(&self, phone: &Phone) -> Result<Option<Owner>, Error> {
        self.owner(&Key::phone_owner(phone))
    }

    /// The account that has a name.
    ///
    /// # Errors
    /// [`Error::Internal`] when the item is not one of ours.
    pub fn owner_by_name(&self, name: &Name) -> Result<Option<Owner>, Error> {
        self.owner(&Key::name_owner(name))
    }

    fn owner(&self, key: &Key) -> Result<Option<Owner>, Error> {
        let Some(item) = self.item(key) else {
            return Ok(None);
        };
        let item: OwnerItem = parse(item.clone())?;
        Ok(Some(Owner {
            uid: item.uid,
            created_at: item.created_ms,
            known: item.known,
        }))
    }
}

impl Store {
    /// Writes down the addresses that an account knows, in the items of its phone and of its name, as far
    /// as they are still its own.
    ///
    /// # Errors
    /// [`Error::Internal`] when DynamoDB fails.
    pub async fn know_addresses(
        &self,
        uid: Uid,
        phone: Option<&Phone>,
        name: &Name,
        known: &KnownAddresses,
    ) -> Result<(), Error> {
        let known = attribute(known)?;
        let note = async |owner: Key| {
            let update = self
                .client
                .update_item()
                .table_name(&self.users)
                .set_key(Some(primary_key(owner.pk)))
                .update_expression("SET known = :known")
                .condition_expression("uid = :uid")
                .expression_attribute_values(":known", known.clone())
                .expression_attribute_values(":uid", number(uid.0));
            repeat::update(update).await.map(drop)
        };
        let by_phone = async {
            match phone {
                Some(phone) => note(Key::phone_owner(phone)).await,
                None => Ok(()),
            }
        };
        let (by_phone, by_name) = join(by_phone, note(Key::name_owner(name))).await;
        by_phone.and(by_name)
    }

    /// Makes an account the owner of what nobody has yet, as a part of a transaction.
    pub(super) fn put_owner(
        &self,
        key: Key,
        user: &User,
        known: &KnownAddresses,
    ) -> Result<TransactWriteItem, Error> {
        self.put_new(&OwnerItem {
            pk: key.pk,
            uid: user.uid,
            created_ms: user.created_at,
            known: known.clone(),
        })
    }

    /// Ends an account's ownership, as a part of a transaction. What it does not own any more is no obstacle, but what
    /// another owns is.
    pub(super) fn delete_owner(&self, key: Key, uid: Uid) -> Result<TransactWriteItem, Error> {
        let delete = Delete::builder()
            .table_name(&self.users)
            .set_key(Some(primary_key(key.pk)))
            .condition_expression("attribute_not_exists(pk) OR uid = :uid")
            .expression_attribute_values(":uid", number(uid.0));
        let delete = delete.build().map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Puts an item of the users table that is not there yet, as a part of a transaction.
    pub(super) fn put_new(&self, item: &impl Serialize) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.users)
            .set_item(Some(serialize(item)?))
            .condition_expression("attribute_not_exists(pk)");
        put_part(put)
    }
}
