//! Deleting the account by SMS, dialect A; no document has it. Answers and errors are those of seed 001.

use serde_json::json;

use crate::support::{
    ANNA, ERIC, TestApp, ZOE, account,
    message::{
        CODE_NOT_VALID, CODE_REQUIRED, LOGIN_FAILED, PHONE_INFO_NOT_VALID, PHONE_INFO_REQUIRED,
        PHONE_MISMATCH, PHONE_REQUIRED, PHONE_UNKNOWN, TOO_FREQUENT, USER_NOT_FOUND,
    },
    scenario, wrong,
};

/// Deletes eric.
async fn delete_eric(app: &TestApp) {
    let token = app.session_of_eric().await;
    let (ticket, code) = app.delete_code(&token, ERIC).await;
    let deleted = app.delete(&token, &ticket, &code).await;
    deleted.assert_ok(&json!(true));
}

#[tokio::test]
async fn two_requests_delete_the_account_and_end_its_sessions() {
    scenario(async |app| {
        let [token, other] = [app.session_of_eric().await, app.session_of_eric().await];
        let sent = app.send_delete_code(&token).await;
        let token = sent.assert_ok_with_token(&json!(sent.result()));
        let code = app.last_code(ERIC);
        let text = format!("【Latchkey】注销账号验证码{code}，5分钟内有效，请勿告诉他人");
        assert_eq!(app.texts(ERIC), [text]);
        let deleted = app.delete(&token, sent.result(), &code).await;
        deleted.assert_ok(&json!(true));
        for token in [&token, &other] {
            app.info(token).await.assert_refused(USER_NOT_FOUND);
        }
        let again = app.delete(&token, sent.result(), &code).await;
        again.assert_refused(USER_NOT_FOUND);
        let login = app.log_in_with_password("eric", "eric-password").await;
        login.assert_refused(LOGIN_FAILED);
        let login = app.send_login_code(ERIC).await;
        login.assert_refused(PHONE_UNKNOWN);
    })
    .await;
}

#[tokio::test]
async fn both_fields_are_required_and_valid_the_ticket_first() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let path = "/v1/user/deleteByMessage";
        let refused = app.post_in_session(path, &token, json!({})).await;
        refused.assert_refused(PHONE_INFO_REQUIRED);
        let refused = app
            .post_in_session(path, &token, json!({"phoneInfo": "x"}))
            .await;
        refused.assert_refused(CODE_REQUIRED);
        let refused = app.delete(&token, "x", "123456").await;
        refused.assert_refused(PHONE_INFO_NOT_VALID);
        app.delete("x", "x", "123456").await.assert_invalid_token();
        app.send_delete_code("x").await.assert_invalid_token();

        // Another account's ticket, and one for another purpose.
        let zoe = app.session_of_zoe().await;
        let of_zoe = app.send_delete_code(&zoe).await;
        let refused = app.delete(&token, of_zoe.result(), "123456").await;
        refused.assert_refused(PHONE_INFO_NOT_VALID);
        let change = app.change_password_code(&token).await;
        let refused = app.delete(&token, &change.0, &change.1).await;
        refused.assert_refused(PHONE_INFO_NOT_VALID);
        assert!(app.user_item(5).await.contains_key("name"));
    })
    .await;
}

#[tokio::test]
async fn five_wrong_codes_use_up_the_right_one() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.delete_code(&token, ERIC).await;
        for n in 0..5 {
            let refused = app.delete(&token, &ticket, &wrong(&code, n)).await;
            refused.assert_refused(CODE_NOT_VALID);
        }
        let refused = app.delete(&token, &ticket, &code).await;
        refused.assert_refused(CODE_NOT_VALID);
        app.send_delete_code(&token)
            .await
            .assert_refused_in_session(TOO_FREQUENT);
    })
    .await;
}

#[tokio::test]
async fn the_code_goes_to_the_phone_that_the_account_has_and_is_good_while_it_has_it() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.delete_code(&token, ERIC).await;
        app.move_to(&token, ANNA).await;
        let refused = app.delete(&token, &ticket, &code).await;
        refused.assert_refused(PHONE_MISMATCH);
        for attribute in ["country", "phone"] {
            app.operator_removes(5, attribute).await;
        }
        let refused = app.delete(&token, &ticket, &code).await;
        refused.assert_refused(PHONE_REQUIRED);
        app.wait(120);
        let refused = app.send_delete_code(&token).await;
        refused.assert_refused_in_session(PHONE_REQUIRED);
    })
    .await;
}

#[tokio::test]
async fn of_two_deletions_at_once_one_does_it() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.delete_code(&token, ERIC).await;
        let (one, other) = tokio::join!(
            app.delete(&token, &ticket, &code),
            app.delete(&token, &ticket, &code)
        );
        let [done, refused] = match one.status {
            200 => [one, other],
            _ => [other, one],
        };
        done.assert_ok(&json!(true));
        refused.assert_refused(USER_NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn phone_and_name_are_free_at_once_and_the_next_owner_meets_nothing_of_the_former() {
    scenario(async |app| {
        let [token, before] = [app.session_of_eric().await, app.session_of_eric().await];
        let refresh = app.signed_in(&format!("86{ERIC}")).await["refresh_token"].clone();
        let access = app.access_token(&before).await;
        let (ticket, code) = app.delete_code(&token, ERIC).await;
        let deleted = app.delete(&token, &ticket, &code).await;
        deleted.assert_ok(&json!(true));

        let (ticket, code) = app.register_code(ERIC).await;
        let registered = app.register(&ticket, &code, "Eric", "new-password").await;
        let result = &registered.body["result"];
        let uid = result["uuid"].as_u64().unwrap();
        assert_ne!(uid, 5);
        assert_eq!(result["name"], json!("Eric"));
        let fresh = registered.assert_ok_with_token(result);
        let shown = app.info(&fresh).await;
        shown.assert_ok_with_token(result);
        assert_eq!(app.sessions_of(uid).await.len(), 1);
        for token in [&token, &before] {
            app.info(token).await.assert_refused(USER_NOT_FOUND);
        }
        let refused = app.refresh(refresh.as_str().unwrap()).await;
        assert_eq!(refused.body["code"], json!("refresh_token_not_found"));
        let refused = app.user(&access).await;
        assert_eq!(refused.body["code"], json!("session_not_found"));
        let verdict = app.verdict_on(&format!("Bearer {access}")).await;
        assert_eq!(verdict["isAuthorized"], json!(false));
        let old = app.log_in_with_password("eric", "eric-password").await;
        old.assert_refused(LOGIN_FAILED);
    })
    .await;
}

#[tokio::test]
async fn the_account_s_number_never_comes_back() {
    scenario(async |app| {
        delete_eric(app).await;
        let back = json!([{"name": "eric", "uuid": 5, "countryCode": "86", "phone": ERIC}]);
        let report = app.import(back).await;
        assert_eq!(report["users"][0]["why"], json!("uuid taken"));
    })
    .await;
}

/// Deleting and registering anew is no way to more messages.
#[tokio::test]
async fn limits_outlive_the_account() {
    scenario(async |app| {
        for _ in 0..5 {
            let sent = app.send_login_code(ERIC).await;
            sent.assert_ok(&json!(sent.result()));
            app.wait(120);
        }
        delete_eric(app).await;
        let refused = app.send_register_code(ERIC).await;
        refused.assert_refused(TOO_FREQUENT);
    })
    .await;
}

/// What tidying DynamoDB does in days, this does at once: it leaves out items whose TTL is over.
#[tokio::test]
async fn nothing_of_the_person_is_in_any_item_once_all_limits_are_over() {
    scenario(async |app| {
        let other = app.session_of_zoe().await;
        let token = app.session_of_eric_at_home().await;
        app.change_known_password(&token, "a-wrong-password", "second-password")
            .await;
        app.send_login_code(ERIC).await;
        app.send_reset_code(ERIC).await;
        app.send_verification_code("eric", ERIC).await;
        app.send_phone_change_code(&token, ANNA).await;
        app.log_in_with_password("eric", "a-wrong-password").await;
        app.wait(3600);
        delete_eric(app).await;
        let left = app.items_with(&[ERIC, ANNA, "eric", "user#5"]).await;
        assert!(!left.is_empty(), "codes and limits");
        let without_end: Vec<_> = left.iter().filter(|(_, ttl)| ttl.is_none()).collect();
        assert_eq!(without_end, [&("user#5".to_owned(), None)], "the tombstone");
        let tombstone = app.user_item(5).await;
        let attributes: Vec<&String> = tombstone.keys().collect();
        assert_eq!(attributes, ["deleted_ms", "pk"]);
        let last = left.iter().filter_map(|(_, ttl)| *ttl).max().unwrap();
        let hours = (last - app.clock.now().as_secs()) / 3600;
        assert!(hours <= 25, "{hours} h: {left:?}");
        // What counts at addresses, of whomever, ends within eight days.
        let all = app.items_with(&["source#", "attempts-from#"]).await;
        let last = all.iter().filter_map(|(_, ttl)| *ttl).max().unwrap();
        let days = (last - app.clock.now().as_secs()) / (24 * 3600);
        assert!(days <= 7, "{days} days: {all:?}");
        app.info(&other)
            .await
            .assert_ok_with_token(&account(7, "zoe", ZOE));
    })
    .await;
}
