//! Importing accounts: what is created, what exists already, what is invalid.

use serde_json::{Value, json};

use crate::support::{Answer, ERIC, account, scenario, scenario_with};

/// The largest number of an account that can be imported. Those drawn here fit 31 bits.
const LARGEST: u64 = 9_007_199_254_740_991;

/// An account of which nothing but a name was imported, or a name and a phone: it is as old as the import.
fn imported(answer: &Answer, uid: u64, name: &str, phone: &str) -> Value {
    let mut account = account(uid, name, phone);
    if phone.is_empty() {
        account["countryCode"] = json!("");
    }
    account["createTime"] = answer.body["result"]["createTime"].clone();
    account["createIp"] = json!("");
    account
}

#[tokio::test]
async fn new_users_are_created_and_a_second_import_changes_nothing() {
    scenario(async |app| {
        app.learn("carol-password");
        let users = json!([
            {"name": "carol", "countryCode": "86", "phone": "13700137000", "password": "carol-password",
             "uuid": 77, "createTime": 1_532_526_039_883_u64, "createIp": "::1", "email": "c@example.com",
             "icon": "c.jpg", "spaceUsed": 1, "spaceCapacity": 2, "type": 3, "status": 0},
            {"name": "dave", "phone": "13700137001"},
            {"name": "eric2", "phone": ERIC},
            {"name": "ERIC"},
            {"name": "frank", "uuid": 5},
            {"name": "grace", "uuid": LARGEST},
        ]);
        let report = app.import(users.clone()).await;
        let dave = report["users"][1]["uuid"].as_u64().unwrap();
        let exists = |index: u64, why: &str| json!({"index": index, "outcome": "exists", "why": why});
        assert_eq!(
            report,
            json!({"created": 3, "exists": 3, "invalid": 0, "users": [
                {"index": 0, "outcome": "created", "uuid": 77},
                {"index": 1, "outcome": "created", "uuid": dave},
                exists(2, "phone taken"),
                exists(3, "name taken"),
                exists(4, "uuid taken"),
                {"index": 5, "outcome": "created", "uuid": LARGEST},
            ]})
        );

        let again = app.import(users).await;
        assert_eq!((&again["created"], &again["exists"]), (&json!(0), &json!(6)));

        let carol = json!({
            "uuid": 77, "name": "carol", "email": "c@example.com", "countryCode": "86",
            "phone": "13700137000", "createTime": 1_532_526_039_883_u64, "createIp": "::1", "ssid": {},
            "icon": "c.jpg", "spaceUsed": 1, "spaceCapacity": 2, "type": 3, "status": 0
        });
        let login = json!({"value": "carol", "password": "carol-password"});
        let answer = app.post("/v1/user/login", login).await;
        answer.assert_ok_with_token(&carol);
        let (ticket, code) = app.login_code("13700137001").await;
        let answer = app.log_in(&ticket, &code).await;
        answer.assert_ok_with_token(&imported(&answer, dave, "dave", "13700137001"));
    })
    .await;
}

#[tokio::test]
async fn a_password_comes_plain_as_md5_or_as_an_argon2id_hash() {
    scenario(async |app| {
        // The MD5 of "hello1", and Argon2id over that MD5 (m=64 KiB, t=1, p=1).
        let md5 = "203ad5ffa1d7c650ad681fdff3965cd2";
        let made_here = app
            .import(json!([{"name": "plain", "password": "hello1"}]))
            .await;
        assert_eq!(made_here["created"], 1);
        let hash = app
            .user_item(made_here["users"][0]["uuid"].as_u64().unwrap())
            .await;
        let hash = hash["password"].as_s().unwrap().clone();
        let users =
            json!([{"name": "md5", "passwordMd5": md5}, {"name": "hashed", "passwordHash": hash}]);
        let report = app.import(users).await;
        assert_eq!(report["created"], 2);
        for (name, uid) in [
            ("plain", &made_here["users"][0]["uuid"]),
            ("md5", &report["users"][0]["uuid"]),
            ("hashed", &report["users"][1]["uuid"]),
        ] {
            let login = json!({"value": name, "password": "hello1"});
            let answer = app.post("/v1/user/login", login).await;
            let account = imported(&answer, uid.as_u64().unwrap(), name, "");
            answer.assert_ok_with_token(&account);
        }
    })
    .await;
}

/// A hash that would cost 1 GiB at every login.
const DEAR_HASH: &str =
    "$argon2id$v=19$m=1048576,t=1,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";

#[tokio::test]
async fn an_invalid_user_is_reported_and_the_others_are_imported() {
    scenario_with(&[("ALLOWED_COUNTRY_CODES", "86,44")], async |app| {
        let invalid = [
            (json!({}), "missing field `name`"),
            (
                json!({"name": " "}),
                "name: 1 to 64 visible characters, of one alphabet",
            ),
            (
                json!({"name": "\u{435}ric"}),
                "name: 1 to 64 visible characters, of one alphabet",
            ),
            (
                json!({"name": "13800138001"}),
                "name: digits alone or an e-mail address",
            ),
            (
                json!({"name": "a", "phone": "123"}),
                "phone: not a number of its country",
            ),
            (
                json!({"name": "a", "phone": "123", "countryCode": "1"}),
                "countryCode: not served",
            ),
            (json!({"name": "a", "uuid": 0}), "uuid: 1 to 2^53-1"),
            (
                json!({"name": "a", "uuid": LARGEST + 1}),
                "uuid: 1 to 2^53-1",
            ),
            (
                json!({"name": "a", "password": "short"}),
                "password: 6 to 64 characters",
            ),
            (
                json!({"name": "a", "passwordMd5": "xyz"}),
                "passwordMd5: 32 hex digits",
            ),
            (
                json!({"name": "a", "passwordMd5": "x".repeat(32)}),
                "passwordMd5: 32 hex digits",
            ),
            (
                json!({"name": "a", "passwordHash": "$2b$12$x"}),
                "passwordHash: an Argon2id PHC string",
            ),
            (
                json!({"name": "a", "passwordHash": DEAR_HASH}),
                "passwordHash: at most 64 MiB, 10 passes and 4 lanes; a salt of 8 bytes or more, a hash of 16 or more",
            ),
            (
                json!({"name": "a", "password": "secret1", "passwordMd5": "x"}),
                "password, passwordMd5, passwordHash: one of them",
            ),
            (
                json!({"name": "a", "phone": 13_700_137_000_u64}),
                "a field of the wrong type",
            ),
            (json!("a"), "a field of the wrong type"),
        ];
        let mut users: Vec<Value> = invalid.iter().map(|(user, _)| user.clone()).collect();
        users.push(json!({"name": "valid", "phone": "13700137000"}));
        let report = app.import(json!(users)).await;
        assert_eq!(
            (&report["created"], &report["invalid"]),
            (&json!(1), &json!(invalid.len()))
        );
        for (index, (user, why)) in invalid.iter().enumerate() {
            let line = json!({"index": index, "outcome": "invalid", "why": why});
            assert_eq!(report["users"][index], line, "{user}");
        }
        let misspelt = app.import(json!([{"name": "b", "fone": "1"}])).await;
        let why = misspelt["users"][0]["why"].as_str().unwrap();
        assert!(why.starts_with("unknown field `fone`"), "{why}");
    })
    .await;
}
