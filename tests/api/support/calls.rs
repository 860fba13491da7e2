//! The permissions each function has been seen to need, kept in `target/calls.json`, where the check
//! of the template holds them against what each function is allowed, both ways.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use local::environment::ACCESS_KEY_ID;

use super::{relay::Call, root};

static SEEN: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

/// Adds what one test has seen.
pub fn record((dynamodb, sns): &(Vec<Call>, Vec<Call>)) {
    let mut seen = SEEN.lock().unwrap();
    for call in dynamodb
        .iter()
        .chain(sns)
        .filter(|call| call.caller != ACCESS_KEY_ID)
    {
        let of_caller = seen.entry(call.caller.clone()).or_default();
        of_caller.extend(call.permissions.iter().cloned());
    }
    let json = serde_json::to_string_pretty(&*seen).unwrap();
    std::fs::write(root().join("target/calls.json"), json).unwrap();
}
