//! Limits over hours and days: five messages an hour and ten a day per phone, ten wrong codes a day.

use std::time::Duration;

use shared::domain::window::{Limit, Window};

use crate::support::{
    DAY, ERIC, ERIC_PASSWORD, HOUR, TestApp, message::CODE_NOT_VALID, scenario, scenario_with,
    wrong,
};

#[tokio::test]
async fn a_password_set_by_sms_opens_at_once_however_many_were_wrong_before() {
    scenario(async |app| {
        let guess = async |app: &TestApp| {
            for _ in 0..11 {
                app.log_in_with_password("eric", "wrong-password").await;
            }
        };
        guess(app).await;
        let refused = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        assert_eq!(refused.body["code"], "USER_LOGIN_FAILED");
        let (ticket, code) = app.reset_code(ERIC).await;
        app.reset_password(&ticket, &code, "password-1").await;
        let session = app.session_of("eric", "password-1").await;
        guess(app).await;
        let (ticket, code) = app.change_password_code(&session).await;
        app.change_password(&session, &ticket, &code, "password-2")
            .await;
        app.session_of("eric", "password-2").await;
        guess(app).await;
        app.wait(3600);
        let token = app.reset_token("eric", ERIC).await;
        app.change_passwd("eric", &token, "Wachtwoord3").await;
        app.session_of("eric", "Wachtwoord3").await;
    })
    .await;
}

#[tokio::test]
async fn a_password_set_by_sms_opens_at_once_for_a_client_that_the_account_knows() {
    for hidden in ["false", "true"] {
        scenario_with(&[("HIDE_UNKNOWN_USERS", hidden)], async |app| {
            app.stays_at("203.0.113.7");
            app.session_of_eric().await;
            let guess = async || {
                for _ in 0..11 {
                    app.log_in_with_password("eric", "wrong-password").await;
                    app.log_in_with_password(ERIC, "wrong-password").await;
                }
            };
            guess().await;
            let refused = app.log_in_with_password("eric", ERIC_PASSWORD).await;
            assert_eq!(refused.body["code"], "USER_LOGIN_FAILED");
            let (ticket, code) = app.reset_code(ERIC).await;
            app.reset_password(&ticket, &code, "password-1").await;
            let session = app.session_of("eric", "password-1").await;
            app.session_of(ERIC, "password-1").await;
            guess().await;
            let (ticket, code) = app.change_password_code(&session).await;
            app.change_password(&session, &ticket, &code, "password-2")
                .await;
            let session = app.session_of("eric", "password-2").await;
            // By wrong old ones a session is locked out, too.
            for _ in 0..11 {
                app.change_known_password(&session, "wrong-password", "password-3")
                    .await;
            }
            app.wait(3600);
            let token = app.reset_token("eric", ERIC).await;
            app.change_passwd("eric", &token, "Wachtwoord3").await;
            let session = app.session_of("eric", "Wachtwoord3").await;
            let changed = app.change_known_password(&session, "Wachtwoord3", "password-4");
            assert_eq!(changed.await.status, 200, "hidden: {hidden}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_reset_token_ends_with_the_password_that_it_was_to_replace() {
    scenario(async |app| {
        let token = app.reset_token("eric", ERIC).await;
        app.wait(3);
        let (ticket, code) = app.reset_code(ERIC).await;
        app.reset_password(&ticket, &code, "password-1").await;
        let refused = app.change_passwd("eric", &token, "Wachtwoord2").await;
        refused.assert_b(8014, "令牌已过期");
        app.session_of("eric", "password-1").await;
    })
    .await;
}

#[tokio::test]
async fn sends_are_limited_to_five_an_hour_and_ten_a_day_with_the_exact_wait() {
    scenario(async |app| {
        for sent in 0..5 {
            assert_eq!(app.send_login_code(ERIC).await.status, 200, "{sent}");
            app.wait(121);
        }
        let refused = app.send_login_code(ERIC).await;
        let wait = refused.assert_too_frequent();
        assert!(
            (HOUR - 5 * 121 - 2..=HOUR - 5 * 121).contains(&wait),
            "{wait}"
        );
        app.wait(wait);
        for sent in 5..10 {
            assert_eq!(app.send_login_code(ERIC).await.status, 200, "{sent}");
            app.wait(HOUR);
        }
        let refused = app.send_login_code(ERIC).await;
        app.wait(refused.assert_too_frequent());
        assert_eq!(app.send_login_code(ERIC).await.status, 200);
        assert_eq!(app.texts(ERIC).len(), 11);
    })
    .await;
}

#[tokio::test]
async fn the_store_admits_the_sends_that_the_window_admits() {
    let environment = [("SENDS_PER_PHONE_HOUR", "3"), ("SENDS_PER_PHONE_DAY", "4")];
    scenario_with(&environment, async |app| {
        let hour = Limit {
            events: 3,
            span: Duration::from_secs(HOUR),
        };
        let day = Limit {
            events: 4,
            span: Duration::from_secs(DAY),
        };
        let mut window = Window::default();
        // Waits that are past the cool-down and crowd both limits.
        let waits = [
            121, 600, 1_200, 3_600, 130, 9_000, 150, 30_000, 40_000, 121, 86_400,
        ];
        for (n, wait) in waits.iter().cycle().take(60).enumerate() {
            app.wait(*wait);
            let now = app.clock.now();
            let expected = [hour, day]
                .map(|limit| window.wait(now, &limit))
                .into_iter()
                .flatten()
                .max();
            let answer = app.send_login_code(ERIC).await;
            match expected {
                None => {
                    assert_eq!(answer.status, 200, "send {n}: {answer:?}");
                    window = window.with(now, 4);
                }
                Some(wait) => {
                    let told = answer.assert_too_frequent();
                    assert!(
                        told.abs_diff(wait.as_secs()) <= 2,
                        "send {n}: {told}, not {wait:?}"
                    );
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_codes_a_day_are_configured() {
    scenario_with(&[("WRONG_CODES_PER_DAY", "2")], async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        for n in 0..2 {
            let refused = app.log_in(&ticket, &wrong(&code, n)).await;
            assert_eq!((refused.status, refused.retry_after()), (400, None));
        }
        let refused = app.log_in(&ticket, &code).await;
        refused.assert_refused(CODE_NOT_VALID);
        assert!(refused.retry_after().is_some());
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_codes_a_day_then_neither_codes_nor_messages_until_it_passes() {
    scenario(async |app| {
        let mut last = (String::new(), String::new());
        for _ in 0..2 {
            last = app.login_code(ERIC).await;
            for n in 0..5 {
                assert_eq!(app.log_in(&last.0, &wrong(&last.1, n)).await.status, 400);
            }
            app.wait(120);
        }
        let refused = app.send_login_code(ERIC).await;
        let wait = refused.assert_too_frequent();
        assert!((DAY - 242..=DAY - 238).contains(&wait), "{wait}");
        let refused = app.log_in(&last.0, &last.1).await;
        refused.assert_refused(CODE_NOT_VALID);
        assert!(refused.retry_after().is_some());
        app.wait(wait);
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
    })
    .await;
}
