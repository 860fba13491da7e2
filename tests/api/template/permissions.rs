//! Each function is permitted the calls it makes, and no others. Every scenario checks that no call lacks
//! its permission; here each permission is used.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, MARY, TestApp,
    permissions::{GRANTED, needed},
    scenario, wrong,
};

#[tokio::test]
async fn no_function_has_a_permission_that_it_does_not_use() {
    scenario(async |app| {
        use_every_function(app).await;
        let needed = needed(&app.calls());
        for (function, granted) in GRANTED.iter() {
            let used = needed.get(function).cloned().unwrap_or_default();
            let idle: Vec<_> = granted.difference(&used).collect();
            assert!(idle.is_empty(), "{function} has {idle:?} and never uses it");
        }
    })
    .await;
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

    app.log_in_with_password("eric", "wrong-password").await;
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
    let taken = app.make_sure("mary", &code).await;
    let token = app.learn_reset_token(&taken).unwrap();
    // Why it is refused to her while she is disabled is read apart.
    app.operator_sets(6, "status", AttributeValue::N("1".into()))
        .await;
    app.change_passwd("mary", &token, "Wachtwoord42").await;
    app.operator_sets(6, "status", AttributeValue::N("0".into()))
        .await;
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

    let event = serde_json::from_value(json!({"users": [{"name": "carol"}]})).unwrap();
    let import = import_users::handle(app.function_app("import-users"), event, app.clock.now());
    app.observed("import-users", import).await.unwrap();
}
