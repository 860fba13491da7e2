//! `POST /auth/v1/token` with the grant `refresh_token`.

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{
    Answer, DAY, TestApp,
    fault::{Fault, dynamodb_error},
    gotrue::{number, parts},
    scenario,
};

const NOT_FOUND: (&str, &str) = (
    "refresh_token_not_found",
    "Invalid Refresh Token: Refresh Token Not Found",
);
const ALREADY_USED: (&str, &str) = (
    "refresh_token_already_used",
    "Invalid Refresh Token: Already Used",
);

fn text(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap().to_owned()
}

fn refresh_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.body, "refresh_token")
}

fn assert_refused(answer: &Answer, (code, message): (&str, &str)) {
    answer.assert_d(400, code, message);
}

async fn signed_in(app: &TestApp) -> (String, String) {
    let session = app.signed_in(&number(1)).await;
    (
        text(&session, "access_token"),
        text(&session, "refresh_token"),
    )
}

#[tokio::test]
async fn a_refresh_gives_a_new_token_for_the_same_session() {
    scenario(async |app| {
        app.clock.stop();
        let (access, first) = signed_in(app).await;
        app.wait(3600);
        let answer = app.refresh(&first).await;
        let second = refresh_token(&answer);
        assert_ne!(first, second);
        assert_eq!(answer.body["expires_in"], 3600);
        assert_eq!(answer.body["expires_at"], app.clock.now().as_secs() + 3600);
        let (before, after) = (
            parts(&access).1,
            parts(&text(&answer.body, "access_token")).1,
        );
        for claim in ["sub", "session_id", "amr", "uuid"] {
            assert_eq!(before[claim], after[claim], "{claim}");
        }
        assert_eq!(after["iat"], app.clock.now().as_secs());
        app.user(&text(&answer.body, "access_token"))
            .await
            .assert(200, answer.body["user"].clone());
    })
    .await;
}

#[tokio::test]
async fn the_token_before_gives_the_newest_once_more_for_a_minute() {
    scenario(async |app| {
        app.clock.stop();
        let (_, first) = signed_in(app).await;
        let second = refresh_token(&app.refresh(&first).await);
        app.wait(59);
        assert_eq!(refresh_token(&app.refresh(&first).await), second);
        app.wait(1);
        // The second one never arrived, and is an old one now.
        let third = refresh_token(&app.refresh(&first).await);
        assert_ne!(third, second);
        assert_refused(&app.refresh(&second).await, ALREADY_USED);
        // That has ended the session.
        for token in [&first, &second, &third] {
            assert_refused(&app.refresh(token).await, NOT_FOUND);
        }
    })
    .await;
}

#[tokio::test]
async fn ten_refreshes_at_once_get_the_same_token() {
    scenario(async |app| {
        let (_, first) = signed_in(app).await;
        let answers = join_all((0..10).map(|_| app.refresh(&first))).await;
        let tokens: Vec<_> = answers.iter().map(refresh_token).collect();
        assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
        refresh_token(&app.refresh(&tokens[0]).await);
    })
    .await;
}

#[tokio::test]
async fn an_old_token_ends_the_session_at_once() {
    scenario(async |app| {
        let (access, first) = signed_in(app).await;
        let second = refresh_token(&app.refresh(&first).await);
        let third = refresh_token(&app.refresh(&second).await);
        assert_refused(&app.refresh(&first).await, ALREADY_USED);
        assert_refused(&app.refresh(&third).await, NOT_FOUND);
        let over = app.user(&access).await;
        assert_eq!(over.body["code"], "session_not_found", "{over:?}");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_after_30_days_without_use_and_after_180_in_all() {
    scenario(async |app| {
        let (_, unused) = signed_in(app).await;
        let session = app.signed_in(&number(2)).await;
        let mut used = text(&session, "refresh_token");
        for days in 1..=179 {
            app.wait(DAY);
            if days % 30 == 0 {
                used = refresh_token(&app.refresh(&used).await);
            }
            if days == 31 {
                assert_refused(&app.refresh(&unused).await, NOT_FOUND);
            }
        }
        used = refresh_token(&app.refresh(&used).await);
        app.wait(DAY);
        assert_refused(&app.refresh(&used).await, NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn a_token_of_another_kind_or_with_another_signature_is_not_found() {
    scenario(async |app| {
        let (access, first) = signed_in(app).await;
        let session = app.session_of_eric().await;
        let forged = format!("{}x", &first[..first.len() - 1]);
        for token in [&access, &session, &forged] {
            assert_refused(&app.refresh(token).await, NOT_FOUND);
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_lost_while_kms_does_not_sign() {
    scenario(async |app| {
        let (_, first) = signed_in(app).await;
        let phone = number(2);
        let code = app.otp_code(&phone).await;
        app.kms.break_it(Fault::Refuses);
        let failed = app.refresh(&first).await;
        assert_eq!(failed.status, 504, "{failed:?}");
        let failed = app.verify(&phone, &code).await;
        assert_eq!(failed.status, 504, "{failed:?}");
        app.kms.mend().await;
        refresh_token(&app.refresh(&first).await);
        refresh_token(&app.verify(&phone, &code).await);
    })
    .await;
}

/// Swift repeats a `POST` that was answered with 504; what stays is 500, and no 4xx: SDKs sign out on those.
#[tokio::test]
async fn what_passes_is_said_to_pass() {
    scenario(async |app| {
        let session = app.signed_in(&number(20)).await;
        let token = session["refresh_token"].as_str().unwrap();
        let message = "Processing this request timed out, please retry after a moment.";
        for fault in [
            Fault::Refuses,
            dynamodb_error(400, "ThrottlingException"),
            dynamodb_error(400, "ProvisionedThroughputExceededException"),
            dynamodb_error(500, "InternalServerError"),
        ] {
            app.dynamodb.break_it(fault);
            let refused = app.refresh(token).await;
            refused.assert_d(504, "request_timeout", message);
            app.dynamodb.mend().await;
        }
        let message = "Unexpected failure, please check server logs for more information";
        app.dynamodb
            .break_it(dynamodb_error(400, "AccessDeniedException"));
        let refused = app.refresh(token).await;
        refused.assert_d(500, "unexpected_failure", message);
        app.dynamodb.mend().await;
        assert_eq!(app.refresh(token).await.status, 200);
    })
    .await;
}
