//! Wrong codes: ten a day for a phone by strangers, over all purposes and dialects, as many at each known
//! address, and as many by known sessions.

use std::ops::RangeInclusive;

use local::gateway::SOURCE_IP_HEADER;
use serde_json::{Value, json};
use shared::telemetry::metrics::Metric;

use crate::support::{
    ANNA, Answer, ERIC, ERIC_PASSWORD, MARY, PATIENT, TestApp, message::CODE_NOT_VALID,
    message::TOO_FREQUENT, metrics::counted, scenario, scenario_with, wrong,
};

const DAY: u64 = 24 * 3600;
/// The wait after ten wrong codes; a slow machine takes some seconds for them.
const A_DAY: RangeInclusive<u64> = DAY - 30..=DAY;
const HOME: &str = "203.0.113.9";
const FREE: &str = "13900139000";
const NEW: &str = "another-password";

/// The codes out for eric: by login, by reset, by recovery.
struct Codes {
    login: (String, String),
    reset: (String, String),
    recovery: String,
}

impl Codes {
    async fn of_eric(app: &TestApp) -> Self {
        Self {
            login: app.login_code(ERIC).await,
            reset: app.reset_code(ERIC).await,
            recovery: app.verification_code("eric", ERIC).await,
        }
    }

    /// Three wrong codes for logins, three for resets, four for recoveries.
    async fn guess_ten(&self, app: &TestApp) {
        for n in 0..3 {
            let (ticket, code) = &self.login;
            let refused = app.log_in(ticket, &wrong(code, n)).await;
            assert_eq!((refused.status, refused.retry_after()), (400, None));
            let (ticket, code) = &self.reset;
            let refused = app.reset_password(ticket, &wrong(code, n), NEW).await;
            assert_eq!((refused.status, refused.retry_after()), (400, None));
        }
        for n in 0..4 {
            let refused = app.make_sure("eric", &wrong(&self.recovery, n)).await;
            refused.assert_b(8013, "验证码错误");
        }
    }
}

/// Asserts a refusal in dialect A that passes in a day.
#[track_caller]
fn assert_over(answer: &Answer) {
    answer.assert_refused(CODE_NOT_VALID);
    answer.assert_retry_after(A_DAY);
}

#[tokio::test]
async fn ten_wrong_codes_of_strangers_close_every_purpose_for_strangers_until_they_pass() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let codes = Codes::of_eric(app).await;
        codes.guess_ten(app).await;
        // The right codes are not accepted any more, by whichever purpose, however often.
        for _ in 0..3 {
            assert_over(&app.log_in(&codes.login.0, &codes.login.1).await);
            assert_over(
                &app.reset_password(&codes.reset.0, &codes.reset.1, NEW)
                    .await,
            );
        }
        let refused = app.make_sure("eric", &codes.recovery).await;
        refused.assert_b_for_now(8014, "验证码已过期", A_DAY);
        app.wait(120);
        let less = DAY - 150..=DAY - 120;
        for refused in [
            app.send_login_code(ERIC).await,
            app.send_reset_code(ERIC).await,
        ] {
            refused.assert_refused(TOO_FREQUENT);
            refused.assert_retry_after(less.clone());
        }
        let refused = app.send_verification_code("eric", ERIC).await;
        refused.assert_b_for_now(8012, "发送过于频繁，请稍后再试:8", less);
        // A token of the account has ten of its own.
        let path = "/v1/user/sendLoginMessage";
        let sent = app
            .post_in_session(path, &session, json!({"phone": ERIC}))
            .await;
        let body = json!({"phoneInfo": sent.result(), "code": app.last_code(ERIC)});
        let path = "/v1/user/loginByMessage";
        let opened = app.post_in_session(path, &session, body).await;
        assert_eq!(opened.status, 200, "{opened:?}");
        app.wait(DAY);
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_code_without_a_ticket_loses_a_try_by_each_guess_over_the_limit() {
    scenario(async |app| {
        let codes = Codes::of_eric(app).await;
        for n in 0..5 {
            app.log_in(&codes.login.0, &wrong(&codes.login.1, n)).await;
            let guess = wrong(&codes.reset.1, n);
            app.reset_password(&codes.reset.0, &guess, NEW).await;
        }
        // The right one and a wrong one come to the same, so nobody learns by trying which is right.
        for n in 0..5 {
            let guess = match n {
                1 | 3 => codes.recovery.clone(),
                n => wrong(&codes.recovery, n),
            };
            let refused = app.make_sure("eric", &guess).await;
            refused.assert_b_for_now(8014, "验证码已过期", A_DAY);
            let tries = app.wrong_tries("recover#eric").await;
            assert_eq!(tries, (n + 1).to_string());
        }
        let refused = app.make_sure("eric", &codes.recovery).await;
        refused.assert_b(8014, "验证码已过期");
        let counted = app.code_item("wrong-codes#+8613800138001").await;
        assert_eq!(counted.len(), 12, "ten moments: {counted:?}");
    })
    .await;
}

async fn at_home(app: &TestApp, path: &str, body: Value) -> Answer {
    app.post_from(HOME, path, body).await
}

#[tokio::test]
async fn each_known_address_and_known_sessions_have_ten_wrong_codes_of_their_own() {
    scenario(async |app| {
        let body = json!({"value": "eric", "password": ERIC_PASSWORD});
        let session = at_home(app, "/v1/user/login", body).await;
        let bearer = format!("Bearer {}", session.token());
        let elsewhere = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
            (SOURCE_IP_HEADER, "198.51.100.7"),
        ];
        let in_session = async |path: &str, body: Value| {
            app.post_raw(path, &elsewhere, body.to_string()).await
        };
        let phone = json!({"phone": ERIC});
        let (send_login, login) = ("/v1/user/sendLoginMessage", "/v1/user/loginByMessage");
        let (send_reset, reset) = (
            "/v1/user/sendChangePasswordMessage2",
            "/v1/user/changePasswordByMessage2",
        );
        Codes::of_eric(app).await.guess_ten(app).await;
        let logging_in = at_home(app, send_login, phone.clone()).await;
        let login_code = app.last_code(ERIC);
        let resetting = at_home(app, send_reset, phone.clone()).await;
        let reset_code = app.last_code(ERIC);
        let guess = |sent: &Answer, code: String| json!({"phoneInfo": sent.result(), "code": code, "newPassword": NEW});
        for n in 0..5 {
            let refused = at_home(app, login, guess(&logging_in, wrong(&login_code, n))).await;
            assert_eq!((refused.status, refused.retry_after()), (400, None));
            let refused = at_home(app, reset, guess(&resetting, wrong(&reset_code, n))).await;
            assert_eq!((refused.status, refused.retry_after()), (400, None));
        }
        app.wait(120);
        let refused = at_home(app, send_login, phone.clone()).await;
        refused.assert_refused(TOO_FREQUENT);
        refused.assert_retry_after(DAY - 150..=DAY - 120);
        // The session's are untouched; its ten are counted over its own purpose too.
        let sent = in_session(send_login, phone.clone()).await;
        let login_code = app.last_code(ERIC);
        let changing = in_session("/v1/user/sendChangePasswordMessage", json!({})).await;
        let change_code = app.last_code(ERIC);
        for n in 0..5 {
            let refused = in_session(login, guess(&sent, wrong(&login_code, n))).await;
            assert_eq!((refused.status, refused.retry_after()), (400, None));
            let body = guess(&changing, wrong(&change_code, n));
            let refused = in_session("/v1/user/changePasswordByMessage", body).await;
            assert_eq!((refused.status, refused.retry_after()), (400, None));
        }
        let refused = in_session(login, guess(&sent, login_code)).await;
        assert_over(&refused);
        app.wait(120);
        let refused = in_session("/v1/user/sendChangePasswordMessage", json!({})).await;
        refused.assert_retry_after(DAY - 150..=DAY - 120);
    })
    .await;
}

#[tokio::test]
async fn a_number_can_be_claimed_by_ten_wrong_codes_a_day_whoever_asks() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let anna = app.register(&ticket, &code, "anna", "anna-password").await;
        app.create_user_with(7, "zoe", "13900139007", Some("zoe-password"))
            .await;
        let sessions = [
            app.session_of_eric().await,
            anna.token().to_owned(),
            app.session_of("zoe", "zoe-password").await,
        ];
        let (registering, of_register) = app.register_code(FREE).await;
        for n in 0..2 {
            let guess = wrong(&of_register, n);
            let refused = app.register(&registering, &guess, "mia", "mia-password");
            assert_eq!(refused.await.retry_after(), None);
        }
        let mut codes = Vec::new();
        for session in &sessions {
            app.wait(60);
            codes.push(app.phone_change_code(session, FREE).await);
        }
        for (session, code) in sessions.iter().zip(&codes).take(2) {
            for n in 0..4 {
                let refused = app.change_phone(session, FREE, &wrong(code, n)).await;
                refused.assert_c(400_190, "verify code error");
            }
        }
        let expired = "verify code expired";
        // The first two are three minutes old.
        let later = DAY - 210..=DAY - 180;
        for (session, code) in sessions.iter().zip(&codes) {
            let refused = app.change_phone(session, FREE, code).await;
            refused.assert_c_for_now(400_191, expired, later.clone());
        }
        let refused = app.register(&registering, &of_register, "mia", "mia-password");
        let refused = refused.await;
        refused.assert_refused(CODE_NOT_VALID);
        refused.assert_retry_after(later);
        app.wait(60);
        let less = DAY - 270..=DAY - 240;
        let refused = app.send_phone_change_code(&sessions[2], FREE).await;
        refused.assert_c_for_now(429, "Too Many Requests", less.clone());
        let refused = app.send_register_code(FREE).await;
        refused.assert_refused(TOO_FREQUENT);
        refused.assert_retry_after(less);
        // Other numbers have ten of their own.
        app.move_to(&sessions[0], "13900139002").await;
        let code = app.login_code(MARY).await;
        assert_eq!(app.log_in(&code.0, &code.1).await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_guesses_at_once_over_three_purposes_ten_count() {
    scenario_with(&[PATIENT], async |app| {
        let codes = Codes::of_eric(app).await;
        let guesses = (0..100).map(async |n| match n % 3 {
            0 => app.log_in(&codes.login.0, &wrong(&codes.login.1, n)).await,
            1 => {
                let guess = wrong(&codes.reset.1, n);
                app.reset_password(&codes.reset.0, &guess, NEW).await
            }
            _ => app.make_sure("eric", &wrong(&codes.recovery, n)).await,
        });
        let answers = futures_util::future::join_all(guesses).await;
        let are_wrong = answers.iter().all(|answer| answer.body["msg"] != 2006);
        assert!(are_wrong && answers.iter().all(|answer| answer.status != 500));
        // The three codes have fifteen tries.
        let evaluated = counted(app, Metric::Verifications, Some(("Outcome", "Wrong")));
        assert_eq!(evaluated, 10.0);
        // Whichever code has a try left, it is not accepted.
        let refused = app.log_in(&codes.login.0, &codes.login.1).await;
        refused.assert_refused(CODE_NOT_VALID);
        let refused = app.reset_password(&codes.reset.0, &codes.reset.1, NEW);
        refused.await.assert_refused(CODE_NOT_VALID);
        let refused = app.make_sure("eric", &codes.recovery).await;
        assert_eq!(refused.body["msg"], 8014);
    })
    .await;
}
