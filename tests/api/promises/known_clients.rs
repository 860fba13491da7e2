//! What others do keeps nobody out who is known: at an address where a code or a password of the account
//! was right, or with a session of the account, expired or not.

use local::gateway::SOURCE_IP_HEADER;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ANNA, Answer, DAY, ERIC, ERIC_PASSWORD, HOME, TestApp, eric,
    gotrue::{LOGOUT, OTP, RESEND, TOKEN, VERIFY},
    message::{CODE_NOT_VALID, LOGIN_FAILED},
    scenario, scenario_with, wrong,
};

async fn log_in_at(app: &TestApp, address: &str, value: &str, password: &str) -> Answer {
    let body = json!({ "value": value, "password": password });
    app.learn_password(password);
    app.post_from(address, "/v1/user/login", body).await
}

/// A login from a new address that shows a token of the account.
async fn log_in_with_token(app: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({ "value": "eric", "password": password, "token": token });
    app.post("/v1/user/login", body).await
}

/// Strangers, each at an address of their own, guess until none of them is admitted.
async fn strangers_guess(app: &TestApp) {
    for _ in 0..30 {
        app.log_in_with_password("eric", "wrong-password").await;
    }
    let blocked = app.log_in_with_password("eric", ERIC_PASSWORD).await;
    blocked.assert_refused(LOGIN_FAILED);
    assert!(blocked.retry_after().is_some());
}

#[tokio::test]
async fn wrong_passwords_of_strangers_do_not_count_against_a_known_address_or_a_session() {
    scenario(async |app| {
        let token = app.session_of_eric_at_home().await;
        strangers_guess(app).await;
        for handle in ["eric", ERIC] {
            let answer = log_in_at(app, HOME, handle, ERIC_PASSWORD).await;
            answer.assert_ok_with_token(&eric());
        }
        let elsewhere = log_in_with_token(app, &token, ERIC_PASSWORD).await;
        elsewhere.assert_ok_with_token(&eric());
        // Expired, the token still shows who asks.
        app.wait(31 * DAY);
        app.info(&token).await.assert_invalid_token();
        strangers_guess(app).await;
        let elsewhere = log_in_with_token(app, &token, ERIC_PASSWORD).await;
        elsewhere.assert_ok_with_token(&eric());
        // The address is a stranger's again by now, and so is the token once its session is over.
        app.wait(31 * DAY);
        strangers_guess(app).await;
        let at_home = log_in_at(app, HOME, "eric", ERIC_PASSWORD).await;
        at_home.assert_refused(LOGIN_FAILED);
        app.wait(120 * DAY);
        strangers_guess(app).await;
        let refused = log_in_with_token(app, &token, ERIC_PASSWORD).await;
        refused.assert_refused(LOGIN_FAILED);
    })
    .await;
}

#[tokio::test]
async fn the_token_of_a_session_that_was_logged_out_is_a_strangers() {
    scenario(async |app| {
        let [token, other] = [app.session_of_eric().await, app.session_of_eric().await];
        app.log_out(&other).await.assert_ok(&json!(true));
        strangers_guess(app).await;
        let refused = log_in_with_token(app, &other, ERIC_PASSWORD).await;
        refused.assert_refused(LOGIN_FAILED);
        let known = log_in_with_token(app, &token, ERIC_PASSWORD).await;
        known.assert_ok_with_token(&eric());
    })
    .await;
}

/// A request of dialect D that shows this token in the header `Token`.
async fn in_d(app: &TestApp, token: &str, path: &str, body: Value) -> Answer {
    let headers = [("content-type", "application/json"), ("token", token)];
    let body = body.to_string();
    app.request(Method::POST, path, &headers, body).await
}

#[tokio::test]
async fn in_dialect_d_the_header_token_shows_who_asks() {
    scenario(async |app| {
        let phone = format!("86{ERIC}");
        let text = |session: &Value| session["refresh_token"].as_str().unwrap().to_owned();
        let first = text(&app.signed_in(&phone).await);
        let renewed = text(&app.refresh(&first).await.body);
        let of_a = app.session_of_eric().await;
        let annas = text(&app.signed_in(&format!("86{ANNA}")).await);
        let by_password = format!("{TOKEN}?grant_type=password");
        let password = json!({"phone": phone, "password": ERIC_PASSWORD});
        // Expired, all of them still show who asks.
        for days in [0, 31] {
            app.wait(days * DAY);
            strangers_guess(app).await;
            for token in [&first, &renewed, &of_a] {
                let answer = in_d(app, token, &by_password, password.clone()).await;
                assert_eq!(answer.status, 200, "{days}: {answer:?}");
            }
            for token in ["", "no-token", &annas] {
                let answer = in_d(app, token, &by_password, password.clone()).await;
                assert_eq!(answer.status, 400, "{days}: {answer:?}");
            }
        }
        // Strangers use up the messages, and the tries of a code.
        let asked = json!({ "phone": phone });
        while app.sdk_post(OTP, asked.clone()).await.status == 200 {
            app.wait(61);
        }
        let sent = in_d(app, &first, OTP, asked.clone()).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        app.wait(61);
        let resent = json!({"type": "sms", "phone": phone});
        assert_eq!(in_d(app, "", RESEND, resent.clone()).await.status, 429);
        assert_eq!(in_d(app, &of_a, RESEND, resent).await.status, 200);
        let code = app.last_code(ERIC);
        for n in 0..10 {
            app.verify(&phone, &wrong(&code, n)).await;
        }
        let right = json!({"type": "sms", "phone": phone, "token": code});
        assert_eq!(in_d(app, &annas, VERIFY, right.clone()).await.status, 403);
        let session = in_d(app, &renewed, VERIFY, right).await;
        assert_eq!(session.status, 200, "{session:?}");
        // An end of the sessions is the end of that.
        let logout = format!("{LOGOUT}?scope=global");
        let access = session.body["access_token"].as_str().unwrap();
        let ended = app.sdk(Method::POST, &logout, access, "").await;
        assert_eq!(ended.status, 204, "{ended:?}");
        strangers_guess(app).await;
        for token in [&first, &renewed, &of_a] {
            let answer = in_d(app, token, &by_password, password.clone()).await;
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_known_client_has_ten_wrong_passwords_of_its_own() {
    scenario(async |app| {
        let token = app.session_of_eric_at_home().await;
        for n in 0..11 {
            let refused = log_in_at(app, HOME, "eric", "wrong-password").await;
            assert_eq!(refused.retry_after().is_some(), n == 10, "{n}");
        }
        for n in 0..11 {
            let refused = log_in_with_token(app, &token, "wrong-password").await;
            assert_eq!(refused.retry_after().is_some(), n == 10, "{n}");
        }
        // Neither counts against strangers.
        app.session_of_eric().await;
    })
    .await;
}

#[tokio::test]
async fn another_accounts_session_or_one_that_a_new_password_ended_is_a_strangers() {
    scenario(async |app| {
        let old = app.session_of_eric().await;
        let (ticket, code) = app.reset_code(ERIC).await;
        app.reset_password(&ticket, &code, ERIC_PASSWORD).await;
        let (ticket, code) = app.register_code(ANNA).await;
        let anna = app.register(&ticket, &code, "anna", "anna-password").await;
        strangers_guess(app).await;
        for token in [old.as_str(), anna.token(), "no-token"] {
            let refused = log_in_with_token(app, token, ERIC_PASSWORD).await;
            refused.assert_refused(LOGIN_FAILED);
        }
    })
    .await;
}

#[tokio::test]
async fn each_right_code_makes_its_address_known() {
    scenario(async |app| {
        let (login, reset, recover, register) =
            ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4");
        let (ticket, code) = app.login_code(ERIC).await;
        let body = json!({"phoneInfo": ticket, "code": code});
        let answer = app.post_from(login, "/v1/user/loginByMessage", body).await;
        assert_eq!(answer.status, 200);
        let (ticket, code) = app.reset_code(ERIC).await;
        let body = json!({"phoneInfo": ticket, "code": code, "newPassword": ERIC_PASSWORD});
        let path = "/v1/user/changePasswordByMessage2";
        assert_eq!(app.post_from(reset, path, body).await.status, 200);
        let code = app.verification_code("eric", ERIC).await;
        let body = json!({"username": "eric", "verification_code": code});
        let path = "/Systems/makeSureVerificationCode";
        let answer = app.post_from(recover, path, body).await;
        app.learn_reset_token(&answer).unwrap();
        let (ticket, code) = app.register_code(ANNA).await;
        let body = json!({
            "phoneInfo": ticket, "code": code, "name": "anna", "password": ERIC_PASSWORD,
        });
        let answer = app.post_from(register, "/v1/user/register", body).await;
        assert_eq!(answer.status, 200);

        strangers_guess(app).await;
        for address in [login, reset, recover] {
            let answer = log_in_at(app, address, "eric", ERIC_PASSWORD).await;
            assert_eq!(answer.status, 200, "{address}");
        }
        for _ in 0..11 {
            app.log_in_with_password("anna", "wrong-password").await;
        }
        let answer = log_in_at(app, register, ANNA, ERIC_PASSWORD).await;
        assert_eq!(answer.status, 200);
        // A wrong code makes nothing known.
        app.wait(121);
        let (ticket, _) = app.login_code(ERIC).await;
        let body = json!({"phoneInfo": ticket, "code": "0"});
        let answer = app
            .post_from("192.0.2.5", "/v1/user/loginByMessage", body)
            .await;
        answer.assert_refused(CODE_NOT_VALID);
        let refused = log_in_at(app, "192.0.2.5", "eric", ERIC_PASSWORD).await;
        refused.assert_refused(LOGIN_FAILED);
    })
    .await;
}

#[tokio::test]
async fn one_password_over_many_names_ends_after_thirty_an_hour_and_a_hundred_a_day() {
    scenario_with(&[("PASSWORD_PASSES", "1")], async |app| {
        let evil = "198.51.100.66";
        log_in_at(app, evil, "eric", ERIC_PASSWORD).await;
        for hour in [30, 30, 30, 10] {
            for n in 0..hour {
                let refused = log_in_at(app, evil, &format!("name-{n}"), "123456").await;
                refused.assert_refused(LOGIN_FAILED);
                assert!(refused.retry_after().is_none(), "{n}");
            }
            // From then on names are not looked at, whether they exist or not.
            for name in ["mary", "nobody"] {
                let refused = log_in_at(app, evil, name, "123456").await;
                assert!(refused.retry_after().is_some(), "{name}");
            }
            // Only an account that knows the address is.
            let answer = log_in_at(app, evil, "eric", ERIC_PASSWORD).await;
            assert_eq!(answer.status, 200);
            app.wait(3601);
        }
        let refused = log_in_at(app, evil, "mary", "123456").await;
        assert!(refused.retry_after().is_some_and(|wait| wait > 15 * 3600));
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_network_has_a_hundred_and_twenty_wrong_passwords_an_hour_however_many_addresses() {
    scenario_with(&[("PASSWORD_PASSES", "1")], async |app| {
        let mut evaluated = 0;
        // Ten from each of forty /64s, each at another name.
        for n in 0..400 {
            let address = format!("2001:db8:1:2{:02x}::1", n / 10);
            let refused = log_in_at(app, &address, &format!("name-{n}"), "123456").await;
            refused.assert_refused(LOGIN_FAILED);
            evaluated += usize::from(refused.retry_after().is_none());
        }
        assert_eq!(evaluated, 120);
        // Right passwords do not count, and the network next to it has its own.
        let next = "2001:db8:1:300::1";
        for _ in 0..31 {
            let answer = log_in_at(app, next, "eric", ERIC_PASSWORD).await;
            assert_eq!(answer.status, 200);
        }
        let other = log_in_at(app, "2001:db8:1:301::1", "nobody", "123456").await;
        assert_eq!(other.retry_after(), None);
        app.wait(3601);
        let again = log_in_at(app, "2001:db8:1:2ff::1", "nobody", "123456").await;
        assert_eq!(again.retry_after(), None);
    })
    .await;
}

/// What a client asks for: from an address, with a token of the account or without.
async fn ask(app: &TestApp, (address, token): (&str, &str), path: &str, body: Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![
        ("content-type", "application/json"),
        (SOURCE_IP_HEADER, address),
    ];
    if !token.is_empty() {
        headers.push(("authorization", bearer.as_str()));
    }
    app.post_raw(path, &headers, body.to_string()).await
}

const SEND: &str = "/v1/user/sendLoginMessage";
const LOG_IN: &str = "/v1/user/loginByMessage";

#[tokio::test]
async fn strangers_who_have_used_up_sends_and_tries_hinder_no_known_client() {
    scenario(async |app| {
        let session = app.session_of_eric_at_home().await;
        // Five messages and ten wrong codes.
        for _ in 0..4 {
            let sent = app.send_login_code(ERIC).await;
            for _ in 0..5 {
                app.log_in(sent.result(), "x1").await;
            }
            app.send_reset_code(ERIC).await;
            app.wait(121);
        }
        app.send_login_code(ERIC).await.assert_too_frequent();
        for known in [(HOME, ""), ("198.51.100.2", session.as_str())] {
            let sent = ask(app, known, SEND, json!({"phone": ERIC})).await;
            let body = json!({"phoneInfo": sent.result(), "code": app.last_code(ERIC)});
            let answer = ask(app, known, LOG_IN, body).await;
            assert_eq!(answer.status, 200, "{known:?}");
            // Each has a cool-down of its own.
            let again = ask(app, known, SEND, json!({"phone": ERIC})).await;
            again.assert_too_frequent();
        }
    })
    .await;
}

#[tokio::test]
async fn the_code_that_a_known_client_asked_for_is_replaced_and_used_up_by_nobody_else() {
    scenario(async |app| {
        app.session_of_eric_at_home().await;
        let sent = ask(app, (HOME, ""), SEND, json!({"phone": ERIC})).await;
        let code = app.last_code(ERIC);
        let strangers = app.send_login_code(ERIC).await;
        assert_eq!(app.last_code(ERIC), code, "one live code");
        for n in 0..7 {
            let refused = app.log_in(strangers.result(), &wrong(&code, n)).await;
            refused.assert_refused(CODE_NOT_VALID);
        }
        // Its tries are used up for strangers, who cannot have another one instead.
        let late = app.log_in(strangers.result(), &code).await;
        late.assert_refused(CODE_NOT_VALID);
        app.wait(121);
        app.send_login_code(ERIC).await.assert_too_frequent();
        let body = json!({"phoneInfo": sent.result(), "code": code});
        let answer = ask(app, (HOME, ""), LOG_IN, body).await;
        assert_eq!(answer.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_known_client_passes_the_limit_of_its_address_and_the_guard() {
    let strict = [
        ("SENDS_PER_ADDRESS_HOUR", "3"),
        ("FRAUD_UNVERIFIED_A_DAY", "2"),
        ("DAILY_SPEND_USD", "1.50"),
    ];
    scenario_with(&strict, async |app| {
        app.session_of_eric_at_home().await;
        let register = "/v1/user/sendRegisterMessage";
        for n in 0..5 {
            let body = json!({"phone": format!("1390013902{n}")});
            ask(app, (HOME, ""), register, body).await;
        }
        let body = json!({"phone": "13900139030"});
        ask(app, (HOME, ""), register, body)
            .await
            .assert_too_frequent();
        let sent = ask(app, (HOME, ""), SEND, json!({"phone": ERIC})).await;
        assert_eq!(sent.status, 200);
    })
    .await;
}
