//! The people of the tests.

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::app::TestApp;

/// The user of seed 003's sample.
pub const ERIC: &str = "13800138001";
/// His password.
pub const ERIC_PASSWORD: &str = "eric-password";
/// The phone of seed 000's sample, near enough: the second demo user's.
pub const MARY: &str = "13627140483";
/// A phone that no account has.
pub const ANNA: &str = "13900139001";

/// The address of somebody at home.
pub const HOME: &str = "203.0.113.9";
/// The phone of a third account, where a test makes one: zoe's.
pub const ZOE: &str = "13900139007";
/// An hour, in seconds.
pub const HOUR: u64 = 3600;
/// A day, in seconds.
pub const DAY: u64 = 24 * HOUR;

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

/// Somebody with an account and nothing done yet.
pub struct Person {
    pub uid: u64,
    pub name: String,
    pub phone: String,
    /// A phone that nobody has.
    pub free: String,
    pub password: String,
}

impl Person {
    /// The person number `n`.
    pub async fn new(app: &TestApp, n: u64) -> Self {
        let person = Self {
            uid: 1_000 + n,
            name: format!("person{n}"),
            phone: format!("150{n:08}"),
            free: format!("151{n:08}"),
            password: format!("password-of-{n}"),
        };
        let (name, phone) = (&person.name, &person.phone);
        app.create_user_with(person.uid, name, phone, Some(&person.password))
            .await;
        person
    }

    /// A session of theirs.
    pub async fn session(&self, app: &TestApp) -> String {
        app.session_of(&self.name, &self.password).await
    }
}

/// The lower-case hex MD5 of a password, as clients of dialect A send it.
pub fn md5(password: &str) -> String {
    let digest = Md5::digest(password.as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}
