//! Each function is permitted the calls it makes, and no others. Every scenario checks that no call lacks
//! its permission; here each permission is used.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    ANNA, DAY, ERIC, ERIC_PASSWORD, MARY, TestApp, ZOE,
    calls::kind,
    fault::Fault,
    gotrue::{JWKS, LOGOUT, OTP, REAUTHENTICATE, TOKEN, number},
    permissions::{GRANTED, Permissions, needed},
    root, scenario_with, wrong,
};

#[tokio::test]
async fn no_function_has_a_permission_that_it_does_not_use() {
    let mut used: BTreeSet<String> = BTreeSet::new();
    // With another cost than that of the users' hashes, a login replaces them.
    let of_another_cost = [("PASSWORD_MEMORY_KIB", "128")];
    scenario_with(&of_another_cost, async |app| {
        let sessions = sessions(app).await;
        app.sns.break_it(Fault::Refuses);
        send_every_code(app, &sessions).await;
        app.sns.mend().await;
        Box::pin(use_every_function(app)).await;
        used.extend(listed(&needed(&app.all_calls())));
    })
    .await;
    // With hidden users, unknown ones cost the same reads.
    scenario_with(&[("HIDE_UNKNOWN_USERS", "true")], async |app| {
        let sessions = sessions(app).await;
        send_every_code(app, &sessions).await;
        app.make_sure("mary", &wrong(&app.last_code(MARY), 0)).await;
        used.extend(listed(&needed(&app.all_calls())));
    })
    .await;
    let granted: BTreeSet<String> = listed(&GRANTED).collect();
    let idle: Vec<_> = granted.difference(&used).collect();
    assert!(idle.is_empty(), "permissions that nothing uses: {idle:#?}");
}

#[tokio::test]
async fn the_runbook_names_every_kind_of_item_that_counts_against_somebody() {
    let mut written = BTreeSet::new();
    scenario_with(&[], async |app| {
        Box::pin(use_every_function(app)).await;
        let keys = app.calls().0.into_iter().flat_map(|call| call.writes);
        written.extend(keys.map(|key| kind(&key).to_owned()));
    })
    .await;
    let page = std::fs::read_to_string(root().join("functions/OPERATIONS.md")).unwrap();
    let (_, table) = page.split_once("| key | holds |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let keys = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    let mut named: BTreeSet<String> = keys.map(|key| kind(key).to_owned()).collect();
    // Accounts, the day's money, reset tokens and the stop are no limits.
    named.extend(["user", "phone", "name", "spend", "reset", "control"].map(str::to_owned));
    let unnamed: Vec<_> = written.difference(&named).collect();
    assert!(unnamed.is_empty(), "the runbook lacks {unnamed:?}");
    assert!(written.contains("sends"), "{written:?}");
}

/// `login: dynamodb:GetItem users`, and so on.
fn listed(permissions: &Permissions) -> impl Iterator<Item = String> {
    permissions.iter().flat_map(|(function, permissions)| {
        let permissions = permissions.iter();
        permissions.map(move |permission| format!("{function}: {permission}"))
    })
}

/// A session token, and an access token of another account.
async fn sessions(app: &TestApp) -> (String, String) {
    let other = app.signed_in(&number(9)).await;
    let token = other["access_token"].as_str().unwrap().to_owned();
    (app.session_of_eric().await, token)
}

/// Requests a code at each endpoint that sends one.
async fn send_every_code(app: &TestApp, (session, token): &(String, String)) {
    app.send_login_code(ERIC).await;
    app.send_register_code(ANNA).await;
    app.send_change_password_code(session).await;
    app.send_reset_code(ERIC).await;
    app.send_verification_code("mary", MARY).await;
    app.send_phone_change_code(session, "13900139002").await;
    let mary = format!("86{MARY}");
    app.sdk_post(OTP, json!({"phone": mary})).await;
    app.wait(60);
    app.resend("sms", &mary).await;
    app.sdk(Method::GET, REAUTHENTICATE, token, "").await;
    app.update_user(token, json!({"phone": number(8)})).await;
    app.send_delete_code(session).await;
}

/// Calls every function so that it does all that it ever does.
async fn use_every_function(app: &TestApp) {
    app.send_login_code("13900139000").await;
    let (ticket, code) = app.login_code(ERIC).await;
    app.send_login_code(ERIC).await.assert_too_frequent();
    app.log_in(&ticket, &wrong(&code, 0)).await;
    app.log_in(&ticket, &code).await;

    let (ticket, code) = app.register_code(ANNA).await;
    app.send_register_code(ANNA).await.assert_too_frequent();
    app.register(&ticket, &wrong(&code, 0), "anna", "anna-password")
        .await;
    app.register(&ticket, &code, "anna", "anna-password").await;

    // Past the limit, the wait is read.
    for _ in 0..11 {
        app.log_in_with_password("mary", "wrong-password").await;
    }
    let session = app.session_of_eric().await;
    app.info(&session).await;

    let sent = app.change_password_code(&session).await;
    app.send_change_password_code(&session).await;
    let answer = app
        .change_password_from("wrong-password", &session, &sent, "second-password")
        .await;
    assert_eq!(answer.status, 400);
    app.change_password_from(ERIC_PASSWORD, &session, &sent, "second-password")
        .await;
    let (ticket, code) = app.reset_code(ERIC).await;
    app.send_reset_code(ERIC).await.assert_too_frequent();
    app.reset_password(&ticket, &wrong(&code, 0), "third-password")
        .await;
    app.reset_password(&ticket, &code, "third-password").await;

    let code = app.verification_code("mary", MARY).await;
    app.send_verification_code("mary", MARY).await;
    app.make_sure("mary", &wrong(&code, 0)).await;
    // Why a disabled account is refused is read apart.
    let set_status = async |status: &str| {
        let status = AttributeValue::N(status.to_owned());
        app.operator_sets(6, "status", status).await;
    };
    set_status("1").await;
    app.make_sure("mary", &code).await;
    set_status("0").await;
    let taken = app.make_sure("mary", &code).await;
    let token = app.learn_reset_token(&taken).unwrap();
    set_status("1").await;
    app.change_passwd("mary", &token, "Wachtwoord42").await;
    set_status("0").await;
    let changed = app.change_passwd("mary", &token, "Wachtwoord42").await;
    changed.assert_b_ok("密码修改成功");

    app.wait(3600);
    let session = app.session_of("eric", "third-password").await;
    let code = app.phone_change_code(&session, "13900139002").await;
    app.send_phone_change_code(&session, "13900139002").await;
    let guess = wrong(&code, 0);
    app.change_phone(&session, "13900139002", &guess).await;
    app.change_phone(&session, "13900139002", &code)
        .await
        .assert_c_success();

    app.change_name(&session, "erik").await;
    let name = json!({"name": "eric"});
    app.post_in_session("/v1/user/changeNameAndGet", &session, name)
        .await;
    app.change_known_password(&session, "third-password", "fourth-password")
        .await;

    // The first use of a session on a day is noted.
    for path in [
        "/v1/user/info",
        "/v1/user/sendChangePasswordMessage",
        "/v1/user/changePasswordByMessage",
        "/v1/user/changePassword",
        "/v1/user/changeName",
        "/v1/user/changeNameAndGet",
    ] {
        let session = app.session_of("eric", "fourth-password").await;
        app.wait(DAY);
        app.post_in_session(path, &session, json!({})).await;
    }
    for function in ["verify_code", "mobile"] {
        let session = app.session_of("eric", "fourth-password").await;
        app.wait(DAY);
        let body = json!({"mcode": "+86", "mobile": ANNA, "verify_code": "000000"});
        let path = format!("/v1/user/{function}");
        app.post_in_session(&path, &session, body).await;
    }
    let session = app.session_of("eric", "fourth-password").await;
    app.wait(DAY);
    let token = app.access_token(&session).await;
    app.verdict_on(&format!("Bearer {token}")).await;
    app.get(JWKS).await;
    app.log_out(&session).await;
    use_dialect_d(app).await;

    app.import(json!([{"name": "carol"}])).await;
}

async fn use_dialect_d(app: &TestApp) {
    let phone = format!("86{MARY}");
    app.signed_in(&number(1)).await;
    let code = app.otp_code(&phone).await;
    // Before a send is refused, the account is read.
    app.sdk_post(OTP, json!({"phone": phone})).await;
    app.verify(&phone, &wrong(&code, 0)).await;
    let session = app.verify(&phone, &code).await.body;
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    app.refresh(&text("refresh_token")).await;
    let password = json!({"phone": phone, "password": "Wachtwoord42"});
    app.sdk_post(&format!("{TOKEN}?grant_type=password"), password)
        .await;
    app.user(&text("access_token")).await;
    let token = text("access_token");
    // Sent; refused, as before.
    for _ in 0..2 {
        app.sdk(Method::GET, REAUTHENTICATE, &token, "").await;
        app.update_user(&token, json!({"phone": number(2)})).await;
    }
    app.wait(60);
    app.resend("phone_change", &phone).await;
    app.resend("phone_change", &phone).await;
    app.resend("sms", &phone).await;
    app.wait(DAY);
    let refreshed = app.refresh(&text("refresh_token")).await.body;
    let token = refreshed["access_token"].as_str().unwrap().to_owned();
    let nonce = app.nonce(&token, &phone).await;
    for nonce in [wrong(&nonce, 0), nonce] {
        let changes = json!({"password": "sixth-password", "nonce": nonce, "phone": number(2)});
        app.update_user(&token, changes).await;
    }
    let code = app.last_code(&number(2)[2..]);
    let moved = app.verify_move(&token, &number(2), &code).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let text = |name: &str| moved.body[name].as_str().unwrap().to_owned();
    let logout = format!("{LOGOUT}?scope=others");
    app.sdk(Method::POST, &logout, &text("access_token"), "")
        .await;
    let token = text("access_token");
    let nonce = app.deletion_nonce(&token, &number(2)).await;
    for nonce in [wrong(&nonce, 0), nonce] {
        app.delete_user(&token, json!({"nonce": nonce})).await;
    }
    for (function, event) in [
        ("admin-read", "find"),
        ("admin-read", "explain"),
        ("admin-support", "unblock"),
        ("admin-support", "end-sessions"),
        ("admin-data", "export"),
        ("admin-data", "disable"),
        ("admin-data", "enable"),
        ("admin-data", "delete"),
    ] {
        app.operate(function, json!({event: {"uuid": 5}})).await;
    }
    app.send_register_code_from("192.0.2.77", 77).await;
    let address = json!({"unblock": {"address": "192.0.2.77"}});
    app.operate("admin-support", address).await;
    app.operate("admin-support", json!({"stop": {}})).await;
    app.operate("admin-support", json!({"resume": {}})).await;
    let restored = json!({"after-restore": {"deleted": [77]}});
    app.operate("admin-data", restored).await;
    let zoe = app.session_of_zoe().await;
    app.wait(DAY);
    let (ticket, code) = app.delete_code(&zoe, ZOE).await;
    // Before a send is refused, the account is read.
    app.send_delete_code(&zoe).await;
    app.delete(&zoe, &ticket, &wrong(&code, 0)).await;
    let deleted = app.delete(&zoe, &ticket, &code).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
}
