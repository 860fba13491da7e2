//! One account from its registration to its deletion, over HTTP.

use serde_json::json;

use crate::support::{
    ANNA, DAY, md5,
    message::{LOGIN_FAILED, USER_NOT_FOUND},
    scenario,
};

#[tokio::test]
async fn a_whole_life() {
    const FIRST: &str = "anna-password";
    const SECOND: &str = "second-password";
    const THIRD: &str = "third-password";
    scenario(async |app| {
        // Registers by SMS, which logs in too.
        let (ticket, code) = app.register_code(ANNA).await;
        let answer = app.register(&ticket, &code, "Anna", FIRST).await;
        let anna = answer.body["result"].clone();
        let registered = answer.assert_ok_with_token(&anna);
        assert_eq!(
            (&anna["name"], &anna["phone"]),
            (&json!("Anna"), &json!(ANNA))
        );

        // Requests the account.
        let registered = app.info(&registered).await.assert_ok_with_token(&anna);

        // Logs in with the password on two other devices, by phone and by name. One sends the password
        // as it is, the other its MD5.
        let answer = app.log_in_with_password(ANNA, FIRST).await;
        let plain = answer.assert_ok_with_token(&anna);
        let answer = app.log_in_with_password("anna", &md5(FIRST)).await;
        let hashed = answer.assert_ok_with_token(&anna);

        // Changes the password on one of them, which ends all other sessions.
        let sent = app.send_change_password_code(&hashed).await;
        let hashed = sent.assert_ok_with_token(&json!(sent.result()));
        let change = (sent.result().to_owned(), app.last_code(ANNA));
        let answer = app
            .change_password_from(&md5(FIRST), &hashed, &change, &md5(SECOND))
            .await;
        let goes_on = answer.assert_ok_with_token(&json!(true));
        for ended in [&registered, &plain, &hashed] {
            app.info(ended).await.assert_invalid_token();
        }
        let goes_on = app.info(&goes_on).await.assert_ok_with_token(&anna);
        let answer = app.log_in_with_password(ANNA, FIRST).await;
        answer.assert_refused(LOGIN_FAILED);
        let answer = app.log_in_with_password(ANNA, SECOND).await;
        let second = answer.assert_ok_with_token(&anna);

        // Resets the forgotten password.
        app.wait(7 * DAY);
        let answer = app.log_in_with_password("Anna", "forgotten?").await;
        answer.assert_refused(LOGIN_FAILED);
        let sent = app.send_reset_code(ANNA).await;
        sent.assert_ok(&json!(sent.result()));
        let code = app.last_code(ANNA);
        let answer = app.reset_password(sent.result(), &code, THIRD).await;
        answer.assert_ok(&json!(true));
        for ended in [&goes_on, &second] {
            app.info(ended).await.assert_invalid_token();
        }
        let answer = app.log_in_with_password("Anna", SECOND).await;
        answer.assert_refused(LOGIN_FAILED);
        let answer = app.log_in_with_password("Anna", &md5(THIRD)).await;
        let third = answer.assert_ok_with_token(&anna);

        // Logs in by SMS, which ends no session.
        let (ticket, code) = app.login_code(ANNA).await;
        let by_sms = app.log_in(&ticket, &code).await.assert_ok_with_token(&anna);
        for token in [&third, &by_sms] {
            app.info(token).await.assert_ok_with_token(&anna);
        }

        // Deletes the account.
        let (ticket, code) = app.delete_code(&by_sms, ANNA).await;
        let deleted = app.delete(&by_sms, &ticket, &code).await;
        deleted.assert_ok(&json!(true));
        for ended in [&third, &by_sms] {
            app.info(ended).await.assert_refused(USER_NOT_FOUND);
        }

        // Somebody else registers with the phone and the name, and is somebody else.
        let (ticket, code) = app.register_code(ANNA).await;
        let answer = app.register(&ticket, &code, "Anna", "other-password").await;
        let other = answer.body["result"].clone();
        let of_other = answer.assert_ok_with_token(&other);
        assert_ne!(other["uuid"], anna["uuid"]);
        app.info(&of_other).await.assert_ok_with_token(&other);
        app.info(&by_sms).await.assert_refused(USER_NOT_FOUND);
        let answer = app.log_in_with_password("Anna", THIRD).await;
        answer.assert_refused(LOGIN_FAILED);
    })
    .await;
}
