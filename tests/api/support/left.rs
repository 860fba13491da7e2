//! What requests leave in the tables, in a form that is the same for the same requests of other people.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use serde_json::Value;

use super::{
    app::TestApp,
    calls::{Call, kind},
};

/// What calls have left.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    /// The items that they wrote, without what tells people, moments and writes apart.
    pub items: Vec<String>,
    /// What the ledger's shards that they wrote hold together.
    pub ledger: BTreeMap<String, u64>,
}

/// The attributes that tell people, moments and writes apart.
const OWN: [&str; 16] = [
    "pk",
    "uid",
    "name",
    "phone",
    "password",
    "created_ip",
    "version",
    "op",
    "ttl",
    "id",
    "nonce",
    "source",
    "mover",
    "shard",
    "day",
    "used_day",
];

impl Left {
    /// What these calls have left.
    pub async fn by(calls: &[Call], app: &TestApp) -> Self {
        let mut left = Self {
            items: Vec::new(),
            ledger: BTreeMap::new(),
        };
        let of_users = |key: &&String| ["user", "phone", "name"].contains(&kind(key));
        let keys: BTreeSet<&String> = calls.iter().flat_map(|call| &call.writes).collect();
        let (users, codes) = keys.into_iter().partition(of_users);
        left.read(app, "users", users).await;
        left.read(app, "codes", codes).await;
        left.items.sort();
        left
    }

    async fn read(&mut self, app: &TestApp, table: &str, mut keys: BTreeSet<&String>) {
        if keys.is_empty() {
            return;
        }
        let mut wanted = KeysAndAttributes::builder().consistent_read(true);
        for key in &keys {
            let key = ("pk".to_owned(), AttributeValue::S((*key).clone()));
            wanted = wanted.keys([key].into());
        }
        let batch = app.tables().batch_get_item();
        let batch = batch.request_items(app.table(table), wanted.build().unwrap());
        let items = batch.send().await.unwrap().responses.unwrap();
        for item in items.into_values().flatten() {
            let pk = item["pk"].as_s().unwrap().clone();
            keys.remove(&pk);
            if kind(&pk) == "spend" {
                for (name, value) in item.iter().filter(|(name, _)| is_shared(name)) {
                    let more: u64 = value.as_n().unwrap().parse().unwrap();
                    *self.ledger.entry(name.clone()).or_default() += more;
                }
            } else {
                let shape = shape(&AttributeValue::M(item));
                self.items.push(format!("{}: {shape}", kind(&pk)));
            }
        }
        let gone = keys.into_iter().map(|key| format!("{}: gone", kind(key)));
        self.items.extend(gone);
    }
}

fn is_shared(attribute: &str) -> bool {
    !OWN.contains(&attribute)
}

/// Whether a text is a random UUID, as those of sessions are.
fn is_id(text: &str) -> bool {
    text.len() == 36 && text.split('-').count() == 5
}

fn shape(value: &AttributeValue) -> String {
    match value {
        // A moment is in milliseconds since 1970, or in parts of them.
        AttributeValue::N(n) if n.len() > 9 => "moment".to_owned(),
        AttributeValue::S(text) if is_id(text) => "id".to_owned(),
        AttributeValue::S(text) if text.starts_with('{') => {
            let fields: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap();
            let fields = fields.into_iter().map(|(name, value)| {
                let attribute = match value {
                    Value::String(text) => AttributeValue::S(text),
                    other => AttributeValue::N(other.to_string()),
                };
                (name, attribute)
            });
            shape(&AttributeValue::M(fields.collect()))
        }
        AttributeValue::N(n) | AttributeValue::S(n) => n.clone(),
        AttributeValue::L(list) => format!("{:?}", list.iter().map(shape).collect::<Vec<_>>()),
        AttributeValue::M(map) if map.keys().all(|key| is_id(key)) => {
            format!("{:?}", map.values().map(shape).collect::<Vec<_>>())
        }
        AttributeValue::M(map) => {
            let shared = map.iter().filter(|(name, _)| is_shared(name));
            let shared: BTreeMap<_, _> = shared.map(|(name, value)| (name, shape(value))).collect();
            format!("{shared:?}")
        }
        other => format!("{other:?}"),
    }
}
