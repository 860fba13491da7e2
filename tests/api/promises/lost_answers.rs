//! A write whose answer is lost, at every endpoint that moves a slot: it is recognised as one's own
//! when it is repeated, so a wrong code counts once and a failed send releases its cool-down.

use serde_json::json;

use crate::support::{
    Answer, ERIC, ERIC_PASSWORD, MARY, TestApp, fault::Fault, mobile::VERIFY_CODE, scenario,
    systems::SEND_VERIFICATION_CODE, wrong,
};

/// The write that refuses a code, or records a send.
const LOST_REFUSAL: Fault = Fault::LosesAnswersOf {
    operation: "TransactWriteItems",
    times: 1,
};
/// The write that releases a cool-down.
const LOST_RELEASE: Fault = Fault::LosesAnswersOf {
    operation: "PutItem",
    times: 1,
};

async fn assert_counted_once(app: &TestApp, slot: &str, answer: impl Future<Output = Answer>) {
    app.dynamodb.break_it(LOST_REFUSAL);
    let answer = answer.await;
    app.dynamodb.mend().await;
    let code = &answer.body["code"];
    let says_wrong = *code == "{CODE}_NOT_VALID" || *code == 400_190 || answer.body["msg"] == 8013;
    assert!(says_wrong, "{slot}: {answer:?}");
    assert_eq!(app.wrong_tries(slot).await, "1", "{slot}");
}

#[tokio::test]
async fn every_endpoint_counts_a_wrong_code_once() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        let guess = wrong(&code, 0);
        let login = app.log_in(&ticket, &guess);
        assert_counted_once(app, "login#+8613800138001", login).await;
        let counted = app.code_item("wrong-codes#+8613800138001").await;
        assert_eq!(counted["s1"].as_n().unwrap(), "0", "once for the phone");

        let (ticket, code) = app.register_code("13900139000").await;
        let guess = wrong(&code, 0);
        let register = app.register(&ticket, &guess, "anna", "anna-password");
        assert_counted_once(app, "register#+8613900139000", register).await;

        let session = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&session).await;
        let guess = wrong(&code, 0);
        let change = app.change_password(&session, &ticket, &guess, "another-password");
        assert_counted_once(app, "change-password#5", change).await;

        let (ticket, code) = app.delete_code(&session, ERIC).await;
        let guess = wrong(&code, 0);
        let delete = app.delete(&session, &ticket, &guess);
        assert_counted_once(app, "delete#5", delete).await;

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
async fn every_endpoint_releases_the_cool_down_of_a_failed_send() {
    scenario(async |app| {
        let session = app.session_of("eric", ERIC_PASSWORD).await;
        let session = session.as_str();
        let in_session = async |path: &str, body| app.post_in_session(path, session, body).await;
        for (path, body, dialect) in [
            (
                "/v1/user/sendLoginMessage",
                json!({"phone": ERIC}),
                Dialect::A,
            ),
            (
                "/v1/user/sendRegisterMessage",
                json!({"phone": "13900139000"}),
                Dialect::A,
            ),
            (
                "/v1/user/sendChangePasswordMessage",
                json!({}),
                Dialect::AInSession,
            ),
            (
                "/v1/user/sendChangePasswordMessage2",
                json!({"phone": ERIC}),
                Dialect::A,
            ),
            (
                SEND_VERIFICATION_CODE,
                json!({"username": "mary", "mobile_phone": MARY}),
                Dialect::B,
            ),
            (
                VERIFY_CODE,
                json!({"mcode": "+86", "mobile": "13900139001"}),
                Dialect::C,
            ),
        ] {
            app.sns.break_it(Fault::Refuses);
            app.dynamodb.break_it(LOST_RELEASE);
            let failed = in_session(path, body.clone()).await;
            dialect.assert_not_sent(&failed);
            app.sns.mend().await;
            app.dynamodb.mend().await;
            let sent = in_session(path, body).await;
            dialect.assert_sent(&sent);
        }
    })
    .await;
}

/// How an endpoint says whether it has sent a message.
#[derive(Clone, Copy)]
enum Dialect {
    A,
    AInSession,
    B,
    C,
}

impl Dialect {
    #[track_caller]
    fn assert_not_sent(self, answer: &Answer) {
        let (code, message) = (
            "SEND_MESSAGE_ERROR",
            "Cannot send message, try again later.",
        );
        match self {
            Self::A => answer.assert_a(500, code, message),
            Self::AInSession => drop(answer.assert_a_with_token(500, code, message)),
            Self::B => answer.assert_b(8012, "短信发送失败，请稍后再试:1"),
            Self::C => answer.assert_c(400_192, "sms unavailable"),
        }
    }

    #[track_caller]
    fn assert_sent(self, answer: &Answer) {
        let ticket = json!(answer.result());
        match self {
            Self::A => answer.assert_ok(&ticket),
            Self::AInSession => drop(answer.assert_ok_with_token(&ticket)),
            Self::B => answer.assert_b_ok("已发送短信"),
            Self::C => answer.assert_c_success(),
        }
    }
}
