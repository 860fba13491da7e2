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

/// The lower-case hex MD5 of a password, as clients of dialect A send it.
pub fn md5(password: &str) -> String {
    let digest = Md5::digest(password.as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}
