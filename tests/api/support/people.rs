//! The people of the tests.

use md5::{Digest, Md5};
use serde_json::{Value, json};

/// The user of seed 003's sample.
pub const ERIC: &str = "13800138001";
/// His password.
pub const ERIC_PASSWORD: &str = "eric-password";
/// The phone of seed 000's sample, near enough: the second demo user's.
pub const MARY: &str = "13627140483";
/// A phone that no account has.
pub const ANNA: &str = "13900139001";
/// The phone of a third account, where a test makes one: zoe's.
pub const ZOE: &str = "13900139007";
/// The address of somebody at home.
pub const HOME: &str = "203.0.113.9";

/// Eric's account, as the document's sample answer prints it.
pub fn eric() -> Value {
    json!({
        "uuid": 5,
        "name": "eric",
        "email": "",
        "countryCode": "86",
        "phone": "13800138001",
        "createTime": 1_532_526_039_883_u64,
        "createIp": "::ffff:123.59.101.208",
        "ssid": {},
        "icon": "default.jpg",
        "spaceUsed": 0,
        "spaceCapacity": 8192,
        "type": 0,
        "status": 0
    })
}

/// The same under another name.
pub fn eric_named(name: &str) -> Value {
    account(5, name, ERIC)
}

/// Mary's account.
pub fn mary() -> Value {
    account(6, "mary", MARY)
}

/// An account that a test has made in the store.
pub fn account(uid: u64, name: &str, phone: &str) -> Value {
    let mut account = eric();
    account["uuid"] = json!(uid);
    account["name"] = json!(name);
    account["phone"] = json!(phone);
    account
}

/// The lower-case hex MD5 of a password, as clients of dialect A send it.
pub fn md5(password: &str) -> String {
    let digest = Md5::digest(password.as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}
