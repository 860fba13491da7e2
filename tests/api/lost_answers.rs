//! A write whose answer is lost, at every endpoint that moves a slot: it is recognised as one's own
//! when it is repeated, so a wrong code counts once and a failed send gives its cool-down back.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::{
    login::wrong,
    support::{Answer, ERIC, ERIC_PASSWORD, MARY, TestApp, relay::Fault, scenario},
};

const LOST: Fault = Fault::LosesAnswersOf {
    operation: "PutItem",
    times: 1,
};

async fn assert_counted_once(app: &TestApp, slot: &str, answer: impl Future<Output = Answer>) {
    app.dynamodb.break_it(LOST);
    let answer = answer.await;
    app.dynamodb.mend().await;
    let said = answer.body.to_string();
    let says_wrong = ["{CODE}_NOT_VALID", "8013", "400190"]
        .iter()
        .any(|code| said.contains(code));
    assert!(says_wrong, "{slot}: {said}");
    let item = app.code_item(slot).await;
    let Some(AttributeValue::M(challenge)) = item.get("challenge") else {
        panic!("{slot}: no challenge");
    };
    assert_eq!(challenge["wrong_tries"].as_n().unwrap(), "1", "{slot}");
}

#[tokio::test]
async fn a_wrong_code_counts_once() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        let guess = wrong(&code, 0);
        let login = app.log_in(&ticket, &guess);
        assert_counted_once(app, "login#+8613800138001", login).await;

        let (ticket, code) = app.register_code("13900139000").await;
        let guess = wrong(&code, 0);
        let register = app.register(&ticket, &guess, "anna", "anna-password");
        assert_counted_once(app, "register#+8613900139000", register).await;

        let session = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&session).await;
        let guess = wrong(&code, 0);
        let change = app.change_password(&session, &ticket, &guess, "another-password");
        assert_counted_once(app, "change-password#5", change).await;

        let (ticket, code) = app.reset_code(ERIC).await;
        let guess = wrong(&code, 0);
        let reset = app.reset_password(&ticket, &guess, "another-password");
        assert_counted_once(app, "reset-password#+8613800138001", reset).await;

        let code = app.verification_code("mary", MARY).await;
        let guess = wrong(&code, 0);
        assert_counted_once(app, "recover#mary", app.make_sure("mary", &guess)).await;

        let code = app.phone_change_code(&session, "13900139001").await;
        let guess = wrong(&code, 0);
        let moved = app.change_phone(&session, "13900139001", &guess);
        assert_counted_once(app, "change-phone#5#+8613900139001", moved).await;
    })
    .await;
}

#[tokio::test]
async fn a_failed_send_gives_its_cool_down_back() {
    scenario(async |app| {
        let session = app.session_of("eric", ERIC_PASSWORD).await;
        let session = session.as_str();
        let in_session = async |path: &str, body| app.post_in_session(path, session, body).await;
        for (path, body) in [
            ("/v1/user/sendLoginMessage", json!({"phone": ERIC})),
            (
                "/v1/user/sendRegisterMessage",
                json!({"phone": "13900139000"}),
            ),
            ("/v1/user/sendChangePasswordMessage", json!({})),
            (
                "/v1/user/sendChangePasswordMessage2",
                json!({"phone": ERIC}),
            ),
            (
                "/Systems/sendVerificationCode",
                json!({"username": "mary", "mobile_phone": MARY}),
            ),
            (
                "/v1/user/verify_code",
                json!({"mcode": "+86", "mobile": "13900139001"}),
            ),
        ] {
            app.sns.break_it(Fault::Refuses);
            app.dynamodb.break_it(LOST);
            let failed = in_session(path, body.clone()).await;
            let said = failed.body.to_string();
            let codes = ["SEND_MESSAGE_ERROR", "8012", "400192"];
            assert!(
                codes.iter().any(|code| said.contains(code)),
                "{path}: {said}"
            );
            app.sns.mend().await;
            app.dynamodb.mend().await;
            let sent = in_session(path, body).await.body.to_string();
            let codes = ["OK", "2006", "success"];
            assert!(
                codes.iter().any(|code| sent.contains(code)),
                "{path}: {sent}"
            );
        }
    })
    .await;
}
