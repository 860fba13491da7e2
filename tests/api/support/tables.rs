//! What is in the tables, and what an operator would change there.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use shared::{
    domain::{
        password::{Cost, Hasher, Password},
        phone::Phone,
        time::UnixMs,
        user::{AccountId, Name, Uid, User},
    },
    store::users::CreateOutcome,
};

use super::app::TestApp;

/// An item's attributes; none of an item that is not there.
type Item = BTreeMap<String, AttributeValue>;

impl TestApp {
    /// An account without a password, made in the store.
    pub async fn create_user(&self, uid: u64, name: &str, phone: &str) {
        self.create_user_with(uid, name, phone, None).await;
    }

    /// An account, made in the store; its password is hashed cheaply.
    pub async fn create_user_with(
        &self,
        uid: u64,
        name: &str,
        phone: &str,
        password: Option<&str>,
    ) {
        let name = Name::parse(name).unwrap();
        let created_at = UnixMs(1_532_526_039_883);
        let id = AccountId::from_random(u128::from(uid).to_be_bytes());
        let phone = Phone::from_parts("86", phone);
        let mut user = User::new(Uid(uid), id, name, phone, created_at);
        user.created_ip = "::ffff:123.59.101.208".into();
        let cheap = Hasher::new(Cost {
            memory_kib: 64,
            passes: 1,
        })
        .unwrap();
        user.password = password.map(|password| {
            self.learn_password(password);
            cheap
                .hash(&Password::parse(password).unwrap(), [0; 16])
                .unwrap()
        });
        let store = self.store();
        assert_eq!(
            store.create_user(&user, None).await,
            Ok(CreateOutcome::Done)
        );
    }

    /// The ids of an account's sessions.
    pub async fn sessions_of(&self, uid: u64) -> Vec<String> {
        let item = self.user_item(uid).await;
        let sessions = item["sessions"].as_m().unwrap();
        sessions.keys().cloned().collect()
    }

    /// Changes one attribute of an account, as an operator would in the console.
    pub async fn operator_sets(&self, uid: u64, attribute: &str, value: AttributeValue) {
        let update = self.tables().update_item();
        update
            .table_name(self.table("users"))
            .key("pk", AttributeValue::S(format!("user#{uid}")))
            .update_expression("SET #a = :v")
            .expression_attribute_names("#a", attribute)
            .expression_attribute_values(":v", value)
            .send()
            .await
            .unwrap();
    }

    /// Deletes an account's item, as an operator would in the console.
    pub async fn operator_deletes(&self, uid: u64) {
        let delete = self.tables().delete_item().table_name(self.table("users"));
        let key = AttributeValue::S(format!("user#{uid}"));
        delete.key("pk", key).send().await.unwrap();
    }

    /// Removes one attribute of an account, as an operator would in the console.
    pub async fn operator_removes(&self, uid: u64, attribute: &str) {
        let update = self.tables().update_item();
        update
            .table_name(self.table("users"))
            .key("pk", AttributeValue::S(format!("user#{uid}")))
            .update_expression("REMOVE #a")
            .expression_attribute_names("#a", attribute)
            .send()
            .await
            .unwrap();
    }

    /// An account's item.
    pub async fn user_item(&self, uid: u64) -> Item {
        self.item("users", &format!("user#{uid}")).await
    }

    /// An item of the codes table.
    pub async fn code_item(&self, pk: &str) -> Item {
        self.item("codes", pk).await
    }

    async fn item(&self, table: &str, pk: &str) -> Item {
        let get = self.tables().get_item().table_name(self.table(table));
        let get = get.key("pk", AttributeValue::S(pk.to_owned()));
        let got = get.consistent_read(true).send().await.unwrap();
        got.item.unwrap_or_default().into_iter().collect()
    }

    /// The items, of both tables, in which one of these texts is: key and TTL, sorted.
    pub async fn items_with(&self, texts: &[&str]) -> Vec<(String, Option<u64>)> {
        let mut found = Vec::new();
        for table in ["users", "codes"] {
            let scan = self.tables().scan().table_name(self.table(table));
            let items = scan.consistent_read(true).send().await.unwrap().items;
            for item in items.unwrap_or_default() {
                let printed = format!("{item:?}");
                if texts.iter().any(|text| printed.contains(text)) {
                    let ttl = item
                        .get("ttl")
                        .map(|ttl| ttl.as_n().unwrap().parse().unwrap());
                    found.push((item["pk"].as_s().unwrap().clone(), ttl));
                }
            }
        }
        found.sort();
        found
    }

    /// The hash an account's password is stored as.
    pub async fn stored_hash(&self, uid: u64) -> String {
        let item = self.user_item(uid).await;
        item["password"].as_s().unwrap().clone()
    }

    /// The keys of the users table, sorted.
    pub async fn user_keys(&self) -> Vec<String> {
        let scan = self.tables().scan().table_name(self.table("users"));
        let items = scan.consistent_read(true).send().await.unwrap().items;
        let key = |pk: &AttributeValue| pk.as_s().unwrap().clone();
        let items = items.unwrap_or_default();
        let mut keys: Vec<String> = items.iter().map(|item| key(&item["pk"])).collect();
        keys.sort();
        keys
    }

    /// How many wrong codes the challenge of a slot has seen, of all clients.
    pub async fn wrong_tries(&self, slot: &str) -> String {
        let item = self.code_item(slot).await;
        let Some(AttributeValue::M(challenge)) = item.get("challenge") else {
            panic!("{slot}: no challenge");
        };
        let of_clients = challenge["wrong_tries"].as_l().unwrap().iter();
        let tries = of_clients.map(|of_client| of_client.as_l().unwrap()[1].as_n().unwrap());
        tries
            .map(|n| n.parse::<u32>().unwrap())
            .sum::<u32>()
            .to_string()
    }
}
