//! The session: the rows about the token and its account.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::{
    DAY, ERIC, MARY,
    mobile::{FREE, MOBILE, OTHER, VERIFY_CODE},
    scenario, wrong,
};

#[tokio::test]
async fn token_is_required() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let body =
            json!({"mcode": "+86", "mobile": FREE, "verify_code": "123456", "token": session});
        for path in [VERIFY_CODE, MOBILE] {
            for headers in [
                &[][..],
                &[("authorization", "")],
                &[("authorization", "  ")],
                &[("authorization", "Bearer")],
                &[("authorization", "Bearer ")],
                &[("authorization", "bearer  ")],
                // Dialect A's other places for a token do not count here.
                &[("token", &session)],
            ] {
                let answer = app.post_raw(path, headers, body.to_string()).await;
                answer.assert_c(400, "Token is required");
            }
        }
        let path = format!("{VERIFY_CODE}?token={session}&Authorization={session}");
        let answer = app.post(&path, body).await;
        answer.assert_c(400, "Token is required");
    })
    .await;
}

#[tokio::test]
async fn unauthorized_is_a_token_that_is_not_ours_or_not_honoured_any_more() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let (ticket, _) = app.login_code(MARY).await;
        let reset = app.reset_token("mary", MARY).await;
        let cut = session[..session.len() - 1].to_owned();
        let good = json!({"mcode": "+86", "mobile": FREE, "verify_code": "123456"});
        let unauthorized = async |token: &str| {
            for path in [VERIFY_CODE, MOBILE] {
                // The parameters are not checked, valid or not.
                for body in [&good, &json!({})] {
                    let answer = app.post_in_session(path, token, body.clone()).await;
                    answer.assert_c(401, "Unauthorized");
                }
            }
        };
        for token in [
            "x",
            "x.y.z",
            "Bearer x",
            "ZaihangyunToken",
            &cut,
            &ticket,
            &reset,
        ] {
            unauthorized(token).await;
        }
        for scheme in ["Basic", "Token"] {
            let header = format!("{scheme} {session}");
            let headers = [("authorization", header.as_str())];
            let answer = app.post_raw(VERIFY_CODE, &headers, good.to_string()).await;
            answer.assert_c(401, "Unauthorized");
        }
        // Revoked by a new password.
        let reset = app.reset_token("eric", ERIC).await;
        let changed = app.change_passwd("eric", &reset, "Wachtwoord42").await;
        changed.assert_b_ok("密码修改成功");
        unauthorized(&session).await;
        // Of an account that has gone.
        let session = app.session_of("eric", "Wachtwoord42").await;
        app.operator_deletes(5).await;
        unauthorized(&session).await;
        assert!(app.texts(FREE).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_token_needs_no_scheme_and_the_scheme_may_be_in_any_case() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let body = json!({"mcode": "+86", "mobile": FREE}).to_string();
        for header in [
            session.clone(),
            format!("bearer {session}"),
            format!("BEARER   {session}"),
            format!("  {session}  "),
        ] {
            let headers = [("authorization", header.as_str())];
            let answer = app.post_raw(VERIFY_CODE, &headers, body.clone()).await;
            answer.assert_c_success();
            app.wait(60);
        }
    })
    .await;
}

#[tokio::test]
async fn token_expired_after_thirty_days() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        app.wait(30 * DAY - 5);
        let code = app.phone_change_code(&session, FREE).await;
        app.wait(5);
        for answer in [
            app.send_phone_change_code(&session, FREE).await,
            app.change_phone(&session, FREE, &code).await,
            app.post_in_session(VERIFY_CODE, &session, json!({})).await,
        ] {
            answer.assert_c(402, "Token expired");
        }
    })
    .await;
}

#[tokio::test]
async fn forbidden_to_a_disabled_account_throttled_or_not() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, FREE).await;
        app.operator_sets(5, "status", AttributeValue::N("1".into()))
            .await;
        for answer in [
            app.send_phone_change_code(&session, FREE).await,
            app.send_phone_change_code(&session, OTHER).await,
            app.change_phone(&session, FREE, &code).await,
            app.change_phone(&session, FREE, &wrong(&code, 0)).await,
            app.post_in_session(MOBILE, &session, json!({})).await,
        ] {
            answer.assert_c(403, "Forbidden");
        }
        assert_eq!(app.inbox().messages().len(), 1);
        app.operator_sets(5, "status", AttributeValue::N("0".into()))
            .await;
        let moved = app.change_phone(&session, FREE, &code).await;
        moved.assert_c_success();
    })
    .await;
}
