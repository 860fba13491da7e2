//! Changing the name of the account that is logged in, dialect A; no document has it. Answers and errors are
//! those of seed 003.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, HOME, MARY, claims, eric, eric_named,
    message::{LOGIN_FAILED, NAME_EXISTS, NAME_NOT_VALID, NAME_REQUIRED},
    scenario,
};

const CHANGE: &str = "/v1/user/changeName";
const CHANGE_AND_GET: &str = "/v1/user/changeNameAndGet";

#[tokio::test]
async fn the_name_is_changed_and_the_old_one_is_free() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let other = app.session_of_eric().await;
        assert_eq!(claims(&token)["name"], "eric");
        let answer = app.change_name(&token, " Erik ").await;
        let fresh = answer.assert_ok_with_token(&json!(true));
        let shown = claims(&fresh);
        assert_eq!(
            (&shown["uuid"], &shown["name"]),
            (&json!(5), &json!("Erik"))
        );
        assert_eq!(
            (&shown["phone"], &shown["email"]),
            (&Value::Null, &Value::Null)
        );

        // Sessions go on, with tokens of either name.
        for token in [&token, &other, &fresh] {
            let next = app
                .info(token)
                .await
                .assert_ok_with_token(&eric_named("Erik"));
            assert_eq!(claims(&next)["name"], "Erik");
        }
        for value in ["erik", "ERIK", ERIC] {
            let answer = app.log_in_with_password(value, ERIC_PASSWORD).await;
            answer.assert_ok_with_token(&eric_named("Erik"));
        }
        let answer = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        answer.assert_refused(LOGIN_FAILED);

        let (ticket, code) = app.register_code(ANNA).await;
        let answer = app.register(&ticket, &code, "eric", "anna-password").await;
        answer.assert_registered("eric", ANNA);
    })
    .await;
}

#[tokio::test]
async fn change_name_and_get_shows_the_account() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        for name in ["Erik", "ERIK", "eric"] {
            let answer = app
                .post_in_session(CHANGE_AND_GET, &token, json!({"name": name}))
                .await;
            let fresh = answer.assert_ok_with_token(&eric_named(name));
            assert_eq!(claims(&fresh)["name"], name);
            app.info(&token)
                .await
                .assert_ok_with_token(&eric_named(name));
        }
        assert_eq!(app.user_keys().await.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_required_valid_and_free() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        for (refusal, names) in [
            (NAME_REQUIRED, vec![json!(null), json!(""), json!(" ")]),
            (
                NAME_NOT_VALID,
                vec![
                    json!(["x"]),
                    json!("x\u{200b}"),
                    json!("m\u{430}ry"),
                    json!("x".repeat(65)),
                ],
            ),
            (
                NAME_EXISTS,
                vec![
                    json!("mary"),
                    json!("ＭＡＲＹ"),
                    json!(MARY),
                    json!(5),
                    json!("mary@example.com"),
                ],
            ),
        ] {
            for name in names {
                for path in [CHANGE, CHANGE_AND_GET] {
                    let answer = app
                        .post_in_session(path, &token, json!({"name": name}))
                        .await;
                    answer.assert_refused_in_session(refusal);
                }
            }
        }
        app.info(&token).await.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn a_session_is_required() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        for path in [CHANGE, CHANGE_AND_GET] {
            app.post(path, json!({"name": "x"}))
                .await
                .assert_invalid_token();
            app.post(path, json!({})).await.assert_invalid_token();
        }
        app.operator_sets(5, "status", AttributeValue::N("2".into()))
            .await;
        let answer = app.change_name(&token, "x").await;
        answer.assert_refused(LOGIN_FAILED);
        assert_eq!(app.user_keys().await.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_known_address_stays_known_under_the_new_name() {
    scenario(async |app| {
        app.stays_at(HOME);
        let token = app.session_of_eric().await;
        let answer = app.change_name(&token, "erich").await;
        answer.assert_ok_with_token(&json!(true));
        // By a token that shows the name of before.
        let answer = app.change_name(&token, "erik").await;
        answer.assert_ok_with_token(&json!(true));
        // Strangers use up their wrong passwords; the address has its own.
        for n in 0..11 {
            app.stays_at(&format!("198.51.100.{n}"));
            app.log_in_with_password("erik", "wrong-password").await;
        }
        app.stays_at(HOME);
        let answer = app.log_in_with_password("erik", ERIC_PASSWORD).await;
        answer.assert_ok_with_token(&eric_named("erik"));
    })
    .await;
}
