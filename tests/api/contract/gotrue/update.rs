//! `PUT /auth/v1/user`, `GET /auth/v1/reauthenticate`, and `verify` of a changed phone.

use reqwest::Method;
use serde_json::{Value, json};

use super::rfc_3339;
use crate::support::{
    Answer, DAY, ERIC, ERIC_PASSWORD, HOME, MARY, TestApp,
    fault::sns_error,
    gotrue::{LOGOUT, REAUTHENTICATE, TOKEN, USER, number, parts},
    scenario, scenario_with, wrong,
};

type Refusal = (u16, &'static str, &'static str);

const EXPIRED: Refusal = (403, "otp_expired", "Token has expired or is invalid");
const SESSION_OVER: Refusal = (
    403,
    "session_not_found",
    "Session from session_id claim in JWT does not exist",
);
const BAD_NONCE: Refusal = (
    422,
    "reauthentication_not_valid",
    "Nonce has expired or is invalid",
);
const PHONE_EXISTS: Refusal = (
    422,
    "phone_exists",
    "A user with this phone number has already been registered",
);
const NEW_PASSWORD: &str = "second-password";

#[track_caller]
fn assert_refused(answer: &Answer, (status, code, message): Refusal) {
    answer.assert_d(status, code, message);
}

fn text(session: &Value, name: &str) -> String {
    session[name].as_str().unwrap().to_owned()
}

/// Eric, signed in at home: his phone and his access token.
async fn eric(app: &TestApp) -> (String, String) {
    app.stays_at(HOME);
    let phone = format!("86{ERIC}");
    let session = app.signed_in(&phone).await;
    (phone, text(&session, "access_token"))
}

/// Asserts a success, and returns the account.
#[track_caller]
fn user(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn by_password(app: &TestApp, phone: &str, password: &str) -> u16 {
    let path = format!("{TOKEN}?grant_type=password");
    let body = json!({"phone": phone, "password": password});
    app.sdk_post(&path, body).await.status
}

#[tokio::test]
async fn data_is_merged_key_by_key() {
    scenario(async |app| {
        let (_, token) = eric(app).await;
        let before = user(app.user(&token).await);
        let mut expected = before.clone();
        for (data, merged) in [
            (
                json!({"a": 1, "b": {"c": 2}}),
                json!({"a": 1, "b": {"c": 2}}),
            ),
            (json!({"a": null, "b": [3]}), json!({"b": [3]})),
            (json!({}), json!({"b": [3]})),
            (json!({"b": null}), json!({})),
        ] {
            let changed = app.update_user(&token, json!({"data": data})).await;
            expected["user_metadata"] = merged;
            changed.assert(200, expected.clone());
            app.user(&token).await.assert(200, expected.clone());
        }
        let large = json!({"data": {"k": "x".repeat(2041)}});
        let refused = app.update_user(&token, large).await;
        let message = "data is too large (max 2048 bytes)";
        assert_refused(&refused, (400, "validation_failed", message));
        // Nothing asked for is nothing changed.
        app.update_user(&token, json!({})).await.assert(200, before);
    })
    .await;
}

#[tokio::test]
async fn of_many_changes_at_once_none_is_lost() {
    scenario(async |app| {
        let (_, token) = eric(app).await;
        let changes = (0..10).map(|n| {
            let token = token.clone();
            async move {
                let key = format!("k{n}");
                let changed = app.update_user(&token, json!({"data": {key: n}})).await;
                assert_eq!(changed.status, 200, "{changed:?}");
            }
        });
        futures_util::future::join_all(changes).await;
        let metadata = &user(app.user(&token).await)["user_metadata"];
        assert_eq!(metadata.as_object().unwrap().len(), 10);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_not_this_one() {
    scenario(async |app| {
        app.stays_at(HOME);
        let phone = format!("86{ERIC}");
        let (here, there) = (app.session_of_eric().await, app.signed_in(&phone).await);
        app.wait(120);
        let session = app.signed_in(&phone).await;
        let refreshed = app.refresh(&text(&session, "refresh_token")).await.body;
        let token = text(&refreshed, "access_token");
        let changes = json!({"password": NEW_PASSWORD, "nonce": "ignored", "data": {"a": 1}});
        let changed = user(app.update_user(&token, changes).await);
        assert_eq!(changed["user_metadata"], json!({"a": 1}));
        // This session goes on, with the tokens it has.
        assert_eq!(app.user(&token).await.status, 200);
        let again = app.refresh(&text(&refreshed, "refresh_token")).await;
        assert_eq!(again.status, 200, "{again:?}");
        // The others are over.
        app.info(&here).await.assert_invalid_token();
        let over = app.user(&text(&there, "access_token")).await;
        assert_refused(&over, SESSION_OVER);
        assert_eq!(by_password(app, &phone, ERIC_PASSWORD).await, 400);
        assert_eq!(by_password(app, &phone, NEW_PASSWORD).await, 200);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_refused_that_is_weak_too_long_or_the_same() {
    scenario(async |app| {
        let (phone, token) = eric(app).await;
        let weak = app.update_user(&token, json!({"password": "five5"})).await;
        let message = "Password should be at least 6 characters.";
        let reasons = json!({"reasons": ["length"]});
        weak.assert(
            422,
            json!({"code": "weak_password", "message": message, "weak_password": reasons}),
        );
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let body = json!({"password": ""}).to_string();
        let weak = app.request(Method::PUT, USER, &headers, body).await;
        weak.assert(
            422,
            json!({
                "code": 422, "error_code": "weak_password", "msg": message,
                "weak_password": reasons,
            }),
        );
        let long = json!({"password": "x".repeat(65)});
        let message = "Password cannot be longer than 64 characters";
        let refused = app.update_user(&token, long).await;
        assert_refused(&refused, (400, "validation_failed", message));
        let same = json!({"password": ERIC_PASSWORD, "data": {"a": 1}});
        let message = "New password should be different from the old password.";
        let refused = app.update_user(&token, same).await;
        assert_refused(&refused, (422, "same_password", message));
        // Nothing of it is done.
        let metadata = &user(app.user(&token).await)["user_metadata"];
        assert_eq!(metadata, &json!({}));
        assert_eq!(by_password(app, &phone, ERIC_PASSWORD).await, 200);
    })
    .await;
}

#[tokio::test]
async fn whether_a_password_is_the_present_one_is_said_ten_times_a_day() {
    scenario(async |app| {
        let (_, token) = eric(app).await;
        // Each fails after the passwords were compared: the message can't be sent.
        app.sns.break_it(sns_error(400, "OptedOut"));
        for n in 0..10 {
            let changes = json!({"password": format!("guess-{n}"), "phone": number(n)});
            let refused = app.update_user(&token, changes).await;
            assert_eq!(refused.body["code"], "sms_send_failed", "{refused:?}");
        }
        let changes = json!({"password": ERIC_PASSWORD, "phone": number(11)});
        let refused = app.update_user(&token, changes).await;
        assert_eq!(refused.body["code"], "sms_send_failed", "{refused:?}");
        app.sns.mend().await;
        app.wait(DAY - 60);
        let (_, token) = eric(app).await;
        app.wait(60);
        let same = app
            .update_user(&token, json!({"password": ERIC_PASSWORD}))
            .await;
        assert_eq!(same.body["code"], "same_password", "{same:?}");
    })
    .await;
}

#[tokio::test]
async fn an_old_session_needs_a_nonce_for_a_password() {
    scenario(async |app| {
        app.stays_at(HOME);
        let phone = format!("86{ERIC}");
        let session = app.signed_in(&phone).await;
        app.wait(DAY - 1);
        let refreshed = app.refresh(&text(&session, "refresh_token")).await.body;
        let token = text(&refreshed, "access_token");
        app.wait(1);
        let change = async |nonce: Value| {
            let changes = json!({"password": NEW_PASSWORD, "nonce": nonce});
            app.update_user(&token, changes).await
        };
        let message = "Password update requires reauthentication";
        let needed = (400, "reauthentication_needed", message);
        for nonce in [Value::Null, json!("")] {
            assert_refused(&change(nonce).await, needed);
        }
        // Anything else needs none.
        let named = app.update_user(&token, json!({"data": {"a": 1}})).await;
        assert_eq!(named.status, 200, "{named:?}");

        assert_refused(&change(json!("123456")).await, BAD_NONCE);
        let nonce = app.nonce(&token, &phone).await;
        for guess in [wrong(&nonce, 0), "letters".to_owned()] {
            assert_refused(&change(json!(guess)).await, BAD_NONCE);
        }
        // A refused change leaves the nonce as it was.
        let weak = json!({"password": "weak", "nonce": nonce});
        assert_eq!(app.update_user(&token, weak).await.status, 422);
        let taken = json!({"password": NEW_PASSWORD, "nonce": nonce, "phone": format!("86{MARY}")});
        assert_refused(&app.update_user(&token, taken).await, PHONE_EXISTS);
        assert_eq!(by_password(app, &phone, ERIC_PASSWORD).await, 200);

        assert_eq!(change(json!(nonce)).await.status, 200);
        assert_eq!(by_password(app, &phone, NEW_PASSWORD).await, 200);
        let again = json!({"password": "third-password", "nonce": nonce});
        assert_refused(&app.update_user(&token, again).await, BAD_NONCE);
    })
    .await;
}

#[tokio::test]
async fn ten_wrong_nonces_a_day_are_all() {
    scenario(async |app| {
        app.stays_at(HOME);
        let phone = format!("86{ERIC}");
        let session = app.signed_in(&phone).await;
        app.wait(DAY);
        let refreshed = app.refresh(&text(&session, "refresh_token")).await.body;
        let token = text(&refreshed, "access_token");
        for _ in 0..2 {
            let nonce = app.nonce(&token, &phone).await;
            for n in 0..5 {
                let changes = json!({"password": NEW_PASSWORD, "nonce": wrong(&nonce, n)});
                assert_refused(&app.update_user(&token, changes).await, BAD_NONCE);
            }
            app.wait(120);
        }
        let sent = app.sdk(Method::GET, REAUTHENTICATE, &token, "").await;
        assert_eq!(sent.body["code"], "over_sms_send_rate_limit", "{sent:?}");
        assert!(sent.retry_after().unwrap() > 80_000, "{sent:?}");
    })
    .await;
}

#[tokio::test]
async fn a_phone_changes_with_the_code_that_is_sent_to_it() {
    scenario(async |app| {
        app.clock.stop();
        let (old, token) = eric(app).await;
        let (new, at) = (number(1), rfc_3339(app.clock.now()));
        let mut expected = user(app.user(&token).await);
        let changes = json!({"phone": format!("+{new}"), "data": {"a": 1}});
        let changed = app.update_user(&token, changes).await;
        expected["new_phone"] = json!(new);
        expected["phone_change_sent_at"] = json!(at);
        expected["user_metadata"] = json!({"a": 1});
        changed.assert(200, expected.clone());
        app.user(&token).await.assert(200, expected);
        let code = app.last_code(&new[2..]);
        assert_refused(
            &app.verify_move("anon", &new, &wrong(&code, 0)).await,
            EXPIRED,
        );
        // The code signs nobody in by itself, and the old number has none.
        assert_refused(&app.verify(&new, &code).await, EXPIRED);
        assert_refused(&app.verify_move("anon", &old, &code).await, EXPIRED);

        app.wait(61);
        let at = rfc_3339(app.clock.now());
        let moved = app.verify_move("anon", &new, &code).await;
        assert_eq!(moved.status, 200, "{moved:?}");
        let further = text(&moved.body, "access_token");
        let of = |token: &str, claim: &str| parts(token).1[claim].clone();
        assert_eq!(of(&further, "sub"), of(&token, "sub"));
        assert_ne!(of(&further, "session_id"), of(&token, "session_id"));
        assert_eq!(of(&further, "phone"), new);
        assert_eq!(of(&further, "amr")[0]["method"], "otp");
        let account = &moved.body["user"];
        assert_eq!(account["phone"], new);
        assert_eq!(account["phone_confirmed_at"], at);
        assert_eq!(account["identities"][0]["identity_data"]["phone"], new);
        assert_eq!(account["new_phone"], Value::Null);
        // Both sessions go on, and the code is spent.
        for token in [&token, &further] {
            app.user(token).await.assert(200, account.clone());
        }
        assert_refused(&app.verify_move("anon", &new, &code).await, EXPIRED);
        // The old number hears of it, and is free.
        let notice = app.texts(&old[2..]).pop().unwrap();
        assert!(
            notice.contains("换绑") || notice.contains("更换"),
            "{notice}"
        );
        let stranger = app.signed_in(&old).await;
        assert_ne!(stranger["user"]["id"], account["id"]);
        let again = app.signed_in(&new).await;
        assert_eq!(again["user"]["id"], account["id"]);
    })
    .await;
}

#[tokio::test]
async fn elsewhere_the_code_is_taken_with_the_accounts_token_alone() {
    scenario(async |app| {
        let (_, token) = eric(app).await;
        let of_mary = app.signed_in(&format!("86{MARY}")).await;
        let ended = app.signed_in(&number(2)).await;
        let new = number(1);
        user(app.update_user(&token, json!({"phone": new})).await);
        let code = app.last_code(&new[2..]);
        app.stays_at("198.51.100.77");
        let exchanged = app.access_token(&app.session_of_eric().await).await;
        for other in [
            "anon",
            &text(&of_mary, "access_token"),
            &text(&ended, "access_token"),
            &exchanged,
        ] {
            assert_refused(&app.verify_move(other, &new, &code).await, EXPIRED);
        }
        // A session of his that is over is none.
        let over = text(&app.signed_in(&format!("86{ERIC}")).await, "access_token");
        let local = format!("{LOGOUT}?scope=local");
        app.sdk(Method::POST, &local, &over, "").await;
        assert_refused(&app.verify_move(&over, &new, &code).await, EXPIRED);
        // Whoever may not present it uses up none of its tries.
        for n in 0..5 {
            let guess = wrong(&code, n);
            assert_refused(&app.verify_move("anon", &new, &guess).await, EXPIRED);
        }
        let moved = app.verify_move(&token, &new, &code).await;
        assert_eq!(moved.body["user"]["phone"], new, "{moved:?}");
    })
    .await;
}

#[tokio::test]
async fn a_change_ends_with_its_session_a_password_and_the_next_change() {
    scenario(async |app| {
        app.stays_at(HOME);
        let phone = format!("86{ERIC}");
        let (first, second) = (number(1), number(2));
        let sign_in = async || {
            app.wait(60);
            text(&app.signed_in(&phone).await, "access_token")
        };
        let ask = async |token: &str, new: &str| {
            app.wait(60);
            user(app.update_user(token, json!({"phone": new})).await);
            app.last_code(&new[2..])
        };
        // The next change.
        let token = sign_in().await;
        let code = ask(&token, &first).await;
        ask(&token, &second).await;
        assert_refused(&app.verify_move(&token, &first, &code).await, EXPIRED);
        // The session.
        let code = ask(&token, &first).await;
        let other = sign_in().await;
        let local = format!("{LOGOUT}?scope=local");
        app.sdk(Method::POST, &local, &token, "").await;
        assert_eq!(user(app.user(&other).await)["new_phone"], Value::Null);
        assert_refused(&app.verify_move(&other, &first, &code).await, EXPIRED);
        // A password.
        app.wait(3600);
        let token = sign_in().await;
        let code = ask(&token, &first).await;
        user(
            app.update_user(&token, json!({"password": NEW_PASSWORD}))
                .await,
        );
        assert_refused(&app.verify_move(&token, &first, &code).await, EXPIRED);
        // One that comes together with it is another matter.
        app.wait(3600);
        let token = sign_in().await;
        let both = json!({"password": "third-password", "phone": second});
        assert_eq!(
            user(app.update_user(&token, both).await)["new_phone"],
            second
        );
        let code = app.last_code(&second[2..]);
        let moved = app.verify_move("anon", &second, &code).await;
        assert_eq!(moved.status, 200, "{moved:?}");
        assert_eq!(by_password(app, &second, "third-password").await, 200);
    })
    .await;
}

#[tokio::test]
async fn while_a_change_is_open_another_accounts_to_the_same_number_is_too_frequent() {
    scenario(async |app| {
        app.clock.stop();
        let (_, token) = eric(app).await;
        let new = number(1);
        let changes = json!({"phone": new});
        user(app.update_user(&token, changes.clone()).await);
        let code = app.last_code(&new[2..]);
        let mary = text(&app.signed_in(&format!("86{MARY}")).await, "access_token");
        app.wait(61);
        let refused = app.update_user(&mary, changes.clone()).await;
        let message = "For security purposes, you can only request this after 239 seconds.";
        assert_refused(&refused, (429, "over_sms_send_rate_limit", message));
        // Her sign-in comes from the same address: the code is still his.
        let moved = app.verify_move("anon", &new, &code).await;
        assert_eq!(parts(&text(&moved.body, "access_token")).1["uuid"], 5);
        app.wait(61);
        let refused = app.update_user(&mary, changes).await;
        assert_refused(&refused, PHONE_EXISTS);
    })
    .await;
}

#[tokio::test]
async fn a_change_is_made_whole_or_not_at_all() {
    scenario(async |app| {
        let (phone, token) = eric(app).await;
        let before = user(app.user(&token).await);
        let changes =
            |phone: &str| json!({"phone": phone, "password": NEW_PASSWORD, "data": {"a": 1}});
        let mary = format!("86{MARY}");
        let refused = app.update_user(&token, changes(&mary)).await;
        assert_refused(&refused, PHONE_EXISTS);
        let refused = app.update_user(&token, changes("33612345678")).await;
        let message = "Invalid phone number format (E.164 required)";
        assert_refused(&refused, (400, "validation_failed", message));
        app.sns.break_it(sns_error(400, "OptedOut"));
        let refused = app.update_user(&token, changes(&number(1))).await;
        let message = "Error sending confirmation OTP to provider";
        assert_refused(&refused, (422, "sms_send_failed", message));
        app.sns.mend().await;
        app.user(&token).await.assert(200, before.clone());
        assert_eq!(by_password(app, &phone, ERIC_PASSWORD).await, 200);
        // The own number changes nothing.
        let texts = app.texts(ERIC).len();
        let own = user(app.update_user(&token, json!({"phone": phone})).await);
        assert_eq!(own["new_phone"], Value::Null);
        assert_eq!(app.texts(ERIC).len(), texts);
    })
    .await;
}

#[tokio::test]
async fn hidden_users_are_not_found_by_a_change() {
    scenario_with(&[("HIDE_UNKNOWN_USERS", "true")], async |app| {
        let (_, token) = eric(app).await;
        let mary = format!("86{MARY}");
        let changed = user(app.update_user(&token, json!({"phone": mary})).await);
        assert_eq!(changed["new_phone"], mary);
        assert_eq!(app.texts(MARY), [""; 0]);
        assert_refused(&app.verify_move(&token, &mary, "123456").await, EXPIRED);
    })
    .await;
}

/// What a number tells two accounts that would move to it: the answers, and the calls that they took.
struct History<'a> {
    app: &'a TestApp,
    calls: usize,
    told: Vec<(u16, Value, Vec<String>)>,
}

impl History<'_> {
    fn note(&mut self, answer: &Answer) {
        let calls = self.app.calls().0;
        let new = calls[self.calls..].iter();
        let mut operations: Vec<String> = new.map(|call| call.operation.clone()).collect();
        // Those at the same time arrive in any order.
        operations.sort();
        self.calls = calls.len();
        let code = answer.body["error_code"].clone();
        self.told.push((answer.status, code, operations));
    }
}

/// The history of a number where users are hidden.
async fn history_of(phone: &str) -> Vec<(u16, Value, Vec<String>)> {
    let mut told = Vec::new();
    scenario_with(&[("HIDE_UNKNOWN_USERS", "true")], async |app| {
        let mut tokens = Vec::new();
        for n in [8, 9] {
            tokens.push(text(&app.signed_in(&number(n)).await, "access_token"));
        }
        let asked = json!({ "phone": phone });
        let calls = app.calls().0.len();
        let mut history = History {
            app,
            calls,
            told: Vec::new(),
        };
        for _ in 0..2 {
            history.note(&app.update_user(&tokens[0], asked.clone()).await);
            app.wait(61);
            history.note(&app.update_user(&tokens[1], asked.clone()).await);
            history.note(&app.resend("phone_change", phone).await);
            for _ in 0..6 {
                history.note(&app.verify_move(&tokens[0], phone, "123456").await);
                history.note(&app.verify_move(&tokens[1], phone, "123456").await);
            }
            app.wait(600);
        }
        // Ten wrong codes refuse the next one.
        history.note(&app.update_user(&tokens[0], asked.clone()).await);
        told = history.told;
    })
    .await;
    told
}

#[tokio::test]
async fn where_users_are_hidden_a_taken_number_has_the_history_of_a_free_one() {
    let (taken, free) = (
        history_of(&format!("86{MARY}")).await,
        history_of(&number(7)).await,
    );
    assert_eq!(taken, free);
    let statuses: Vec<u16> = free.iter().map(|(status, ..)| *status).collect();
    assert_eq!((statuses[0], statuses[1], statuses[2]), (200, 429, 200));
    assert_eq!(statuses.last(), Some(&429));
}

#[tokio::test]
async fn where_users_are_hidden_a_resend_reads_as_much_for_every_number() {
    scenario_with(&[("HIDE_UNKNOWN_USERS", "true")], async |app| {
        let calls = app.calls().0.len();
        let mut history = History {
            app,
            calls,
            told: Vec::new(),
        };
        for phone in [format!("86{ERIC}"), number(7)] {
            history.note(&app.resend("phone_change", &phone).await);
        }
        assert_eq!(history.told[0], history.told[1]);
        assert_eq!(history.told[0].2.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_move_to_a_number_that_is_taken_by_now_is_not_sent_again() {
    scenario(async |app| {
        let (_, token) = eric(app).await;
        let phone = number(7);
        user(app.update_user(&token, json!({ "phone": phone })).await);
        app.wait(61);
        app.signed_in(&phone).await;
        let texts = app.texts(&phone[2..]).len();
        assert_refused(&app.resend("phone_change", &phone).await, PHONE_EXISTS);
        assert_eq!(app.texts(&phone[2..]).len(), texts);
    })
    .await;
}

#[tokio::test]
async fn what_only_an_accounts_own_token_may_do_is_refused_to_others() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let exchanged = app.access_token(&session).await;
        let message = "invalid JWT: unable to parse or verify signature";
        let bad = (403, "bad_jwt", message);
        for token in ["anon", &session, &exchanged] {
            for (method, path) in [
                (Method::PUT, USER),
                (Method::GET, REAUTHENTICATE),
                (Method::POST, LOGOUT),
            ] {
                assert_refused(&app.sdk(method, path, token, "{}").await, bad);
            }
        }
        assert_eq!(app.user(&exchanged).await.status, 200);
        let missing = app.request(Method::PUT, USER, &[], "{}").await;
        assert_eq!(
            (missing.status, &missing.body["error_code"]),
            (401, &json!("no_authorization"))
        );
        let token = text(&app.signed_in(&number(1)).await, "access_token");
        app.sdk(Method::POST, LOGOUT, &token, "").await;
        for (method, path) in [(Method::PUT, USER), (Method::GET, REAUTHENTICATE)] {
            assert_refused(&app.sdk(method, path, &token, "{}").await, SESSION_OVER);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_here_or_malformed_is_refused() {
    scenario(async |app| {
        let (_, token) = eric(app).await;
        let invalid = |message| (400, "validation_failed", message);
        let email = (422, "email_provider_disabled", "Email logins are disabled");
        let admin = "Updating app_metadata requires admin privileges";
        let phone = "Invalid phone number format (E.164 required)";
        for (changes, refusal) in [
            (json!({"email": "eric@example.com"}), email),
            (json!({"app_metadata": {}}), (403, "not_admin", admin)),
            (json!({"phone": "0123"}), invalid(phone)),
            (json!({"data": [1]}), invalid("data must be an object")),
            (
                json!({"password": ["secret"]}),
                invalid("A field is missing or not in its form"),
            ),
        ] {
            assert_refused(&app.update_user(&token, changes).await, refusal);
        }
        let refused = app.sdk(Method::PUT, USER, &token, "[]").await;
        let message = "Could not parse request body as JSON";
        assert_refused(&refused, (400, "bad_json", message));
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_phone_has_nowhere_to_send_a_nonce() {
    scenario(async |app| {
        let (_, token) = eric(app).await;
        app.operator_removes(5, "phone").await;
        let refused = app.sdk(Method::GET, REAUTHENTICATE, &token, "").await;
        let message = "Reauthentication requires the user to have an email or a phone number";
        assert_refused(&refused, (400, "validation_failed", message));
    })
    .await;
}

#[tokio::test]
async fn a_refresh_beside_a_new_password_is_not_lost() {
    scenario(async |app| {
        app.stays_at(HOME);
        let mut session = app.signed_in(&format!("86{ERIC}")).await;
        for n in 0..20 {
            let token = text(&session, "access_token");
            let refresh_token = text(&session, "refresh_token");
            let changes = json!({"password": format!("password-{n}")});
            let changed = app.update_user(&token, changes);
            let refreshed = app.refresh(&refresh_token);
            let (changed, refreshed) = futures_util::future::join(changed, refreshed).await;
            user(changed);
            session = user(refreshed);
        }
        let last = app.refresh(&text(&session, "refresh_token")).await;
        assert_eq!(last.status, 200, "{last:?}");
    })
    .await;
}

#[tokio::test]
async fn the_session_that_asks_goes_on_although_there_are_twenty() {
    scenario(async |app| {
        app.stays_at(HOME);
        let body = json!({"phone": format!("86{ERIC}"), "password": ERIC_PASSWORD});
        let path = format!("{TOKEN}?grant_type=password");
        let mut tokens = Vec::new();
        for _ in 0..20 {
            let session = user(app.sdk_post(&path, body.clone()).await);
            tokens.push(text(&session, "access_token"));
            app.wait(1);
        }
        // The oldest is the first to end for another.
        let new = number(1);
        user(app.update_user(&tokens[0], json!({"phone": new})).await);
        let code = app.last_code(&new[2..]);
        user(app.verify_move("anon", &new, &code).await);
        let mut alive = Vec::new();
        for token in &tokens {
            alive.push(app.user(token).await.status == 200);
        }
        assert_eq!(alive[..3], [true, false, true]);
        assert_eq!(alive.iter().filter(|alive| **alive).count(), 19);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_the_open_codes_of_the_account() {
    scenario(async |app| {
        app.stays_at(HOME);
        let phone = format!("86{ERIC}");
        let session = app.signed_in(&phone).await;
        app.wait(DAY - 60);
        let refreshed = app.refresh(&text(&session, "refresh_token")).await.body;
        let token = text(&refreshed, "access_token");
        let nonce = app.nonce(&token, &phone).await;
        let code = app.otp_code(&phone).await;
        // The session is still young: it needs no nonce.
        app.wait(1);
        user(
            app.update_user(&token, json!({"password": NEW_PASSWORD}))
                .await,
        );
        assert_refused(&app.verify(&phone, &code).await, EXPIRED);
        app.wait(60);
        let changes = json!({"password": "third-password", "nonce": nonce});
        assert_refused(&app.update_user(&token, changes).await, BAD_NONCE);
        // What is sent from now on is good.
        app.wait(60);
        let nonce = app.nonce(&token, &phone).await;
        let changes = json!({"password": "third-password", "nonce": nonce});
        user(app.update_user(&token, changes).await);
        app.wait(1);
        let code = app.otp_code(&phone).await;
        assert_eq!(app.verify(&phone, &code).await.status, 200);
    })
    .await;
}
