//! `POST /Systems/changepasswd`.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use shared::domain::token::Token;

use crate::support::{
    ERIC, MARY, eric, scenario,
    systems::{
        CHANGE_PASSWD, DEAD_TOKEN, DISABLED, EMPTY, NEW, NEW_MD5, WRONG_TOKEN, all_get, calls_of,
    },
};

#[tokio::test]
async fn change_without_username_token_or_password() {
    scenario(async |app| {
        let whole = json!({"username": "eric", "Verification_char": "x", "new_password": NEW});
        let mut bodies = vec![json!({})];
        for field in ["username", "Verification_char", "new_password"] {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(field);
            bodies.push(without);
            for nothing in [json!(null), json!(""), json!(" \t")] {
                let mut empty = whole.clone();
                empty[field] = nothing;
                bodies.push(empty);
            }
        }
        // The document writes the field with a capital.
        bodies.push(json!({"username": "eric", "verification_char": "x", "new_password": NEW}));
        all_get(app, CHANGE_PASSWD, EMPTY, bodies).await;
        let (msg, info) = EMPTY;
        let answer = app
            .post_form(CHANGE_PASSWD, "username=eric&Verification_char=x")
            .await;
        answer.assert_b(msg, info);
        assert_eq!(calls_of(app, "changepasswd"), 0);
    })
    .await;
}

#[tokio::test]
async fn change_to_a_password_that_is_not_6_to_15_letters_and_digits_leaves_the_token_usable() {
    scenario(async |app| {
        let token = app.reset_token("eric", ERIC).await;
        let refused = [
            json!("abc12"),
            json!("abcdefgh12345678"),
            json!("abc 123"),
            json!(" abc123"),
            json!("abc123 "),
            json!("abc-123"),
            json!("abc123\n"),
            json!("密码密码密码"),
            json!("pässwort"),
            json!("abc12３"),
            json!(NEW_MD5),
            json!(12_345),
            json!(12_345.5),
            json!(-123_456),
            json!(true),
            json!([NEW]),
        ];
        for password in refused {
            let body = json!({
                "username": "eric",
                "Verification_char": token,
                "new_password": password,
            });
            let answer = app.post(CHANGE_PASSWD, body).await;
            assert_eq!(answer.body["msg"], 2009, "{password}");
            answer.assert_b(2009, "密码只支持6~15位英文字母和数字");
        }
        let form = format!("username=eric&Verification_char={token}&new_password=abc%20123");
        let answer = app.post_form(CHANGE_PASSWD, &form).await;
        answer.assert_b(2009, "密码只支持6~15位英文字母和数字");
        let changed = app.change_passwd("eric", &token, "Abc9Xy").await;
        changed.assert_b_ok("密码修改成功");
        let answer = app.log_in_with_password("eric", "Abc9Xy").await;
        answer.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn change_takes_6_and_15_characters_and_a_number() {
    scenario(async |app| {
        for (password, logs_in) in [
            (json!("zq4567"), "zq4567"),
            (json!("Zq4567890123456"), "Zq4567890123456"),
            (json!(837_465_920), "837465920"),
        ] {
            let token = app.reset_token("eric", ERIC).await;
            let body = json!({
                "username": "Eric",
                "Verification_char": format!(" {token} "),
                "new_password": password,
            });
            app.post(CHANGE_PASSWD, body)
                .await
                .assert_b_ok("密码修改成功");
            let answer = app.log_in_with_password("eric", logs_in).await;
            answer.assert_ok_with_token(&eric());
            app.wait(60);
        }
    })
    .await;
}

#[tokio::test]
async fn change_with_a_wrong_token() {
    scenario(async |app| {
        app.session_of_zoe().await;
        let token = app.reset_token("eric", ERIC).await;
        let session = app.session_of_eric().await;
        let (ticket, _) = app.login_code(MARY).await;
        let (msg, info) = WRONG_TOKEN;
        for (username, forged) in [
            ("eric", json!("x")),
            ("eric", json!(5)),
            ("eric", json!(true)),
            ("eric", json!([token])),
            ("eric", json!(token[1..])),
            ("eric", json!(format!("{token}="))),
            ("eric", json!(token.to_lowercase() + "A")),
            // Other tokens of ours.
            ("eric", json!(session)),
            ("eric", json!(ticket)),
            // Not valid for another user name.
            ("mary", json!(token)),
            ("zoe", json!(token)),
        ] {
            let body = json!({
                "username": username,
                "Verification_char": forged,
                "new_password": NEW,
            });
            app.post(CHANGE_PASSWD, body).await.assert_b(msg, info);
        }
        // None of it has changed a password or spent the token.
        app.session_of("zoe", "zoe-password").await;
        app.session_of_eric().await;
        let changed = app.change_passwd("eric", &token, NEW).await;
        changed.assert_b_ok("密码修改成功");
    })
    .await;
}

#[tokio::test]
async fn change_with_a_dead_token() {
    scenario(async |app| {
        let (msg, info) = DEAD_TOKEN;
        let dead = async |username: &str, token: &str| {
            let answer = app.change_passwd(username, token, NEW).await;
            answer.assert_b(msg, info);
        };
        let token = app.reset_token("eric", ERIC).await;
        // An unknown user, and a string that is not a valid name.
        dead("nobody", &token).await;
        dead(&"e".repeat(65), &token).await;
        let body = json!({"username": true, "Verification_char": token, "new_password": NEW});
        app.post(CHANGE_PASSWD, body).await.assert_b(msg, info);
        // Ten minutes, to the second.
        app.wait(600);
        dead("eric", &token).await;
        // Another user gets the same answer as for any other token.
        let answer = app.change_passwd("mary", &token, NEW).await;
        answer.assert_b(WRONG_TOKEN.0, WRONG_TOKEN.1);
        let token = app.reset_token("eric", ERIC).await;
        app.wait(598);
        let changed = app.change_passwd("eric", &token, NEW).await;
        changed.assert_b_ok("密码修改成功");
        // Spent, with the same password and with another.
        dead("eric", &token).await;
        let answer = app.change_passwd("eric", &token, "AndererName7").await;
        answer.assert_b(msg, info);
        let answer = app.log_in_with_password("eric", NEW).await;
        answer.assert_ok_with_token(&eric());
        // The account has gone since.
        let token = app.reset_token("eric", ERIC).await;
        app.operator_deletes(5).await;
        dead("eric", &token).await;
    })
    .await;
}

#[tokio::test]
async fn change_for_a_disabled_account_leaves_the_token_usable() {
    scenario(async |app| {
        let token = app.reset_token("eric", ERIC).await;
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        let answer = app.change_passwd("eric", &token, NEW).await;
        answer.assert_b(DISABLED.0, DISABLED.1);
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;
        let changed = app.change_passwd("eric", &token, NEW).await;
        changed.assert_b_ok("密码修改成功");
    })
    .await;
}

#[tokio::test]
async fn a_changed_password_ends_every_session() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let token = app.reset_token("eric", ERIC).await;
        app.info(&session).await.assert_ok_with_token(&eric());
        let changed = app.change_passwd("eric", &token, NEW).await;
        changed.assert_b_ok("密码修改成功");
        let answer = app.info(&session).await;
        answer.assert_invalid_token();
        let answer = app.send_phone_change_code(&session, "13900139000").await;
        answer.assert_c(401, "Unauthorized");
    })
    .await;
}

#[tokio::test]
async fn a_reset_token_is_256_random_bits_of_which_a_hash_is_stored() {
    // Every bit of forty tokens takes both values, or this fails once in 2^30 runs.
    let mut seen = [(0u8, 0u8); 32];
    for _ in 0..40 {
        let token = Token::reset(shared::random::bytes().unwrap()).into_string();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).unwrap();
        assert_eq!(bytes.len(), 32);
        for ((ones, zeros), byte) in seen.iter_mut().zip(bytes) {
            *ones |= byte;
            *zeros |= !byte;
        }
    }
    assert_eq!(seen, [(0xff, 0xff); 32]);

    scenario(async |app| {
        let mut tokens = BTreeSet::new();
        for _ in 0..3 {
            let token = app.reset_token("eric", ERIC).await;
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
            assert_eq!(bytes.len(), 32);
            // That the token itself is in no table is checked at the scenario's end.
            let hash = shared::domain::token::ResetHash::of(&token);
            let item = app.code_item(&format!("reset#{}", hash.as_str())).await;
            assert_eq!(item["uid"], AttributeValue::N("5".into()));
            assert_eq!(item["spent"], AttributeValue::Bool(false));
            tokens.insert(token);
            app.wait(60);
        }
        assert_eq!(tokens.len(), 3);
    })
    .await;
}
