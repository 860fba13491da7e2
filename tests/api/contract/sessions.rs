//! Sessions of dialect A: where the token is read from, how long it lives, and that every answer in a
//! valid session carries a fresh token.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    ANNA, DAY, ERIC, ERIC_PASSWORD, FORM, MARY, claims, eric,
    gotrue::parts,
    keys::{K1, K1_AND_K2, K2},
    message::{LOGIN_FAILED, PHONE_REQUIRED, TOO_FREQUENT, USER_NOT_FOUND},
    scenario, scenario_with, wrong,
};

const LOGOUT: &str = "/v1/user/logout";
const INFO: &str = "/v1/user/info";
const SEND: &str = "/v1/user/sendChangePasswordMessage";
const CHANGE: &str = "/v1/user/changePasswordByMessage";
const CHANGE_NAME: &str = "/v1/user/changeName";
const CHANGE_NAME_AND_GET: &str = "/v1/user/changeNameAndGet";
const CHANGE_BY_OLD: &str = "/v1/user/changePassword";
const IN_SESSION: [&str; 7] = [
    LOGOUT,
    INFO,
    SEND,
    CHANGE,
    CHANGE_NAME,
    CHANGE_NAME_AND_GET,
    CHANGE_BY_OLD,
];
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_session_that_is_used_lasts_180_days_in_all_or_as_long_as_is_configured() {
    let configured = [("SESSION_IDLE_DAYS", "7"), ("SESSION_DAYS", "20")];
    for (environment, idle, total) in [(&[][..], 30, 180), (&configured[..], 7, 20)] {
        scenario_with(environment, async |app| {
            // To the second, however long the requests take.
            app.clock.stop();
            let began = app.session_of_eric().await;
            let mut session = began.clone();
            let mut day = 0;
            while day + idle - 1 < total {
                app.wait((idle - 1) * DAY);
                day += idle - 1;
                session = app.info(&session).await.assert_ok_with_token(&eric());
            }
            app.info(&began).await.assert_invalid_token();
            app.wait((total - day) * DAY - 1);
            let last = app.info(&session).await.assert_ok_with_token(&eric());
            app.wait(1);
            for token in [&session, &last] {
                app.info(token).await.assert_invalid_token();
            }
        })
        .await;
    }
}

#[tokio::test]
async fn each_login_gets_a_session_of_its_own() {
    scenario(async |app| {
        app.clock.stop();
        let mut ids = BTreeSet::new();
        for _ in 0..20 {
            ids.insert(claims(&app.session_of_eric().await)["sid"].to_string());
        }
        assert_eq!(ids.len(), 20);
        let session = app.signed_in(&format!("86{ERIC}")).await;
        let (_, claims) = parts(session["access_token"].as_str().unwrap());
        assert!(ids.insert(claims["session_id"].to_string()));
    })
    .await;
}

#[tokio::test]
async fn a_token_is_taken_from_authorization_then_token_then_the_body() {
    scenario(async |app| {
        let his = app.session_of_eric().await;
        let (ticket, code) = app.login_code(MARY).await;
        let hers = app.log_in(&ticket, &code).await.token().to_owned();
        let bearer = |token: &str| format!("Bearer {token}");
        let nothing = json!({});
        for (headers, body) in [
            (vec![("authorization", bearer(&his))], nothing.clone()),
            (
                vec![("authorization", format!("bearer {his}"))],
                nothing.clone(),
            ),
            (
                vec![("Authorization", format!("BEARER   {his}"))],
                nothing.clone(),
            ),
            (vec![("token", his.clone())], nothing.clone()),
            (vec![("Token", his.clone())], nothing.clone()),
            (vec![], json!({"token": his})),
            // The first place with a token decides.
            (
                vec![("authorization", bearer(&his)), ("token", hers.clone())],
                json!({"token": hers}),
            ),
            (vec![("token", his.clone())], json!({"token": hers})),
            (
                vec![("authorization", bearer(&his))],
                json!({"token": ["x"]}),
            ),
            // A header without a bearer token counts as missing.
            (
                vec![
                    ("authorization", "Basic ZXJpYzp4".into()),
                    ("token", his.clone()),
                ],
                nothing.clone(),
            ),
            (
                vec![("authorization", "Bearer".into())],
                json!({"token": his}),
            ),
            (vec![("token", String::new())], json!({"token": his})),
        ] {
            let mut headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            headers.push(JSON);
            let answer = app.post_raw(INFO, &headers, body.to_string()).await;
            answer.assert_ok_with_token(&eric());
        }
        for form in [format!("token={his}"), format!("token=+{his}+&x=y")] {
            let answer = app.post_raw(INFO, &[FORM], form).await;
            answer.assert_ok_with_token(&eric());
        }
        // An invalid token is not skipped for one in a later place.
        for headers in [
            [("authorization", "Bearer x"), ("token", &his)],
            [("authorization", "Bearer x.y.z"), ("token", &his)],
            [("token", "x"), ("x-other", &his)],
        ] {
            let body = json!({"token": his}).to_string();
            let answer = app.post_raw(INFO, &headers, body).await;
            answer.assert_invalid_token();
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_in_the_query_string_is_ignored() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        for path in IN_SESSION {
            for query in ["token", "Token", "Authorization", "access_token"] {
                let url = format!("{path}?{query}={token}");
                let answer = app.post_raw(&url, &[JSON], "{}").await;
                answer.assert_invalid_token();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_login_by_password_and_one_by_sms_start_a_session() {
    scenario(async |app| {
        let by_password = app.session_of("eric", ERIC_PASSWORD).await;
        let (ticket, code) = app.login_code(ERIC).await;
        let by_sms = app.log_in(&ticket, &code).await.token().to_owned();
        for token in [by_password, by_sms] {
            let fresh = app.info(&token).await.assert_ok_with_token(&eric());
            app.info(&fresh).await.assert_ok_with_token(&eric());
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_needs_no_field_needs_no_body() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let authorization = format!("Bearer {token}");
        let authorization = ("authorization", authorization.as_str());
        for headers in [
            &[authorization][..],
            &[authorization, JSON],
            &[authorization, FORM],
        ] {
            app.post_raw(INFO, headers, "")
                .await
                .assert_ok_with_token(&eric());
        }
        let sent = app.post_raw(SEND, &[authorization], "").await;
        sent.assert_ok_with_token(&json!(sent.result()));
    })
    .await;
}

#[tokio::test]
async fn every_answer_to_a_valid_session_carries_a_fresh_token_even_a_refusal() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        // The fresh token then differs.
        app.wait(2);
        let fresh = app.info(&token).await.assert_ok_with_token(&eric());
        assert_ne!(fresh, token);

        let mut last = fresh;
        let post = async |path: &str, token: &str, body: Value| {
            app.wait(2);
            app.post_in_session(path, token, body).await
        };
        let sent = post(SEND, &last, json!({})).await;
        last = sent.assert_ok_with_token(&json!(sent.result()));
        let (ticket, code) = (sent.result().to_owned(), app.last_code(ERIC));
        let new = "second-password";
        let refused = post(SEND, &last, json!({"time": 1_532_526_039_883_u64})).await;
        assert!(refused.retry_after().is_some());
        last = refused.assert_refused_in_session(TOO_FREQUENT);
        for (body, code, message) in [
            (
                json!({}),
                "{NEW_PASSWORD}_REQUIRED",
                "New password required",
            ),
            (
                json!({"newPassword": "x"}),
                "{NEW_PASSWORD}_NOT_VALID",
                "New password not valid",
            ),
            (
                json!({"newPassword": new}),
                "{CODE}_REQUIRED",
                "Code required",
            ),
            (
                json!({"newPassword": new, "code": code}),
                "{PHONE_INFO}_REQUIRED",
                "Phone info required",
            ),
            (
                json!({"newPassword": new, "code": code, "phoneInfo": "x"}),
                "{PHONE_INFO}_NOT_VALID",
                "Phone info not valid",
            ),
            (
                json!({"newPassword": new, "code": wrong(&code, 0), "phoneInfo": ticket}),
                "{CODE}_NOT_VALID",
                "Code not valid",
            ),
            (
                json!({
                    "newPassword": new, "code": code, "phoneInfo": ticket,
                    "oldPassword": "wrong-password"
                }),
                "{OLD_PASSWORD}_NOT_VALID",
                "Old password not valid",
            ),
        ] {
            let refused = post(CHANGE, &last, body).await;
            let fresh = refused.assert_a_with_token(400, code, message);
            assert_ne!(fresh, last);
            last = fresh;
        }
        let authorization = format!("Bearer {last}");
        for path in IN_SESSION {
            let headers = [("authorization", authorization.as_str())];
            let refused = app.post_raw(path, &headers, "{").await;
            if path == LOGOUT {
                refused.assert_a(400, "{BODY}_NOT_VALID", "Body not valid");
            } else {
                refused.assert_a_with_token(400, "{BODY}_NOT_VALID", "Body not valid");
            }
        }
        app.info(&last).await.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn without_a_valid_session_every_request_gets_invalid_token() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        let parts: Vec<&str> = token.split('.').collect();
        let forged = |changes: Value| {
            let mut claims = claims(&token);
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
            format!("{}.{claims}.{}", parts[0], parts[2])
        };
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"none","kid":"local"}"#);
        let tokens = [
            String::new(),
            "x".into(),
            "..".into(),
            token[..token.len() - 1].to_owned(),
            token.to_lowercase(),
            forged(json!({"uuid": 6})),
            forged(json!({"exp": 99_999_999_999_u64})),
            format!("{header}.{}.", parts[1]),
            format!("{header}.{}.{}", parts[1], parts[2]),
            // A ticket is no session.
            ticket.clone(),
        ];
        for path in IN_SESSION {
            for body in [
                json!({}),
                json!({"phoneInfo": ticket, "code": code, "newPassword": "second-password"}),
                json!({"newPassword": "x", "phone": ERIC}),
                json!({
                    "name": "erik", "oldPassword": ERIC_PASSWORD, "newPassword": "second-password"
                }),
            ] {
                app.post(path, body.clone()).await.assert_invalid_token();
                for token in &tokens {
                    let answer = app.post_in_session(path, token, body.clone()).await;
                    answer.assert_invalid_token();
                }
            }
        }
        assert_eq!(app.texts(ERIC).len(), 1);
        let session = app.session_of_eric().await;
        app.info(&session).await.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn a_session_lives_30_days_from_its_last_answer() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        app.wait(30 * DAY - 5);
        let fresh = app.info(&token).await.assert_ok_with_token(&eric());
        app.wait(5);
        for path in IN_SESSION {
            let answer = app.post_in_session(path, &token, json!({})).await;
            answer.assert_invalid_token();
        }
        app.wait(30 * DAY - 10);
        app.info(&fresh).await.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn a_disabled_or_deleted_account_has_no_session() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        let (ticket, code) = app.change_password_code(&token).await;
        let change = json!({"phoneInfo": ticket, "code": code, "newPassword": "second-password"});
        let by_old = json!({"oldPassword": ERIC_PASSWORD, "newPassword": "second-password"});
        let bodies = [
            (LOGOUT, json!({})),
            (INFO, json!({})),
            (SEND, json!({})),
            (CHANGE, change),
            (CHANGE_NAME, json!({"name": "erik"})),
            (CHANGE_NAME_AND_GET, json!({"name": "erik"})),
            (CHANGE_BY_OLD, by_old),
        ];
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        for (path, body) in &bodies {
            let answer = app.post_in_session(path, &token, body.clone()).await;
            answer.assert_refused(LOGIN_FAILED);
        }
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;
        app.info(&token).await.assert_ok_with_token(&eric());
        app.operator_deletes(5).await;
        for (path, body) in &bodies {
            let answer = app.post_in_session(path, &token, body.clone()).await;
            answer.assert_refused(USER_NOT_FOUND);
        }
        assert_eq!(app.texts(ERIC).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_operator_ends_all_sessions_of_an_account() {
    scenario(async |app| {
        for (attribute, value) in [
            ("sessions", AttributeValue::M([].into())),
            ("epoch", AttributeValue::N("1".into())),
        ] {
            let tokens = [app.session_of_eric().await, app.session_of_eric().await];
            app.operator_sets(5, attribute, value).await;
            for path in IN_SESSION {
                for token in &tokens {
                    let answer = app.post_in_session(path, token, json!({})).await;
                    answer.assert_invalid_token();
                }
            }
        }
        let token = app.session_of_eric().await;
        app.info(&token).await.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn a_logout_ends_its_session_at_once_and_no_other() {
    scenario(async |app| {
        let [his, other] = [app.session_of_eric().await, app.session_of_eric().await];
        let (ticket, code) = app.login_code(MARY).await;
        let hers = app.log_in(&ticket, &code).await.token().to_owned();
        app.wait(2);
        let fresh = app.info(&his).await.assert_ok_with_token(&eric());
        app.log_out(&his).await.assert_ok(&json!(true));
        // Every token of the session is dead, at every endpoint of both dialects.
        for token in [&his, &fresh] {
            for path in IN_SESSION {
                let answer = app.post_in_session(path, token, json!({})).await;
                answer.assert_invalid_token();
            }
            let moved = app.send_phone_change_code(token, ANNA).await;
            moved.assert_c(401, "Unauthorized");
        }
        app.info(&other).await.assert_ok_with_token(&eric());
        assert_eq!(app.info(&hers).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_least_recently_used_of_more_than_twenty_sessions_ends() {
    scenario(async |app| {
        let mut sessions = Vec::new();
        for _ in 0..20 {
            sessions.push(app.session_of_eric().await);
            app.wait(1);
        }
        // The first one is used a day later, so the second one is the least recently used.
        app.wait(DAY);
        app.info(&sessions[0]).await.assert_ok_with_token(&eric());
        let (ticket, code) = app.login_code(ERIC).await;
        sessions.push(app.log_in(&ticket, &code).await.token().to_owned());
        sessions.push(app.session_of_eric().await);
        for (n, session) in sessions.iter().enumerate() {
            let answer = app.info(session).await;
            match n {
                1 | 2 => answer.assert_invalid_token(),
                _ => drop(answer.assert_ok_with_token(&eric())),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn endpoints_that_need_no_session_return_no_token_for_one() {
    scenario(async |app| {
        let token = app.session_of_eric().await;
        for path in [
            "/v1/user/sendLoginMessage",
            "/v1/user/sendRegisterMessage",
            "/v1/user/sendChangePasswordMessage2",
        ] {
            let answer = app.post_in_session(path, &token, json!({})).await;
            answer.assert_refused(PHONE_REQUIRED);
        }
        let path = "/v1/user/sendChangePasswordMessage2";
        let sent = app
            .post_in_session(path, &token, json!({"phone": ERIC}))
            .await;
        sent.assert_ok(&json!(sent.result()));
        let body = json!({
            "phoneInfo": sent.result(),
            "code": app.last_code(ERIC),
            "newPassword": "second-password"
        });
        app.learn_password("second-password");
        let path = "/v1/user/changePasswordByMessage2";
        let changed = app.post_in_session(path, &token, body).await;
        changed.assert_ok(&json!(true));
    })
    .await;
}

#[tokio::test]
async fn a_session_outlives_its_key_when_it_was_used_meanwhile() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        let token = app.session_of_eric().await;
        app.redeploy(&[("KEY_RING", K1_AND_K2)]).await;
        let fresh = app.info(&token).await.assert_ok_with_token(&eric());
        app.redeploy(&[("KEY_RING", K2)]).await;
        app.info(&token).await.assert_invalid_token();
        app.info(&fresh).await.assert_ok_with_token(&eric());
    })
    .await;
}
