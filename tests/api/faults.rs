//! AWS hiccups: every answer still speaks the dialect, within 10 s, and nothing is lost.

use std::time::Duration;

use crate::support::{Answer, ERIC, TestApp, relay::Fault, scenario};

const WITHIN: Duration = Duration::from_secs(10);

/// What SNS answers when it refuses.
pub fn sns_error(status: u16, code: &str) -> Fault {
    let body = format!(
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>about +86{ERIC}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    Fault::Answers { status, body }
}

/// What DynamoDB answers when it refuses.
pub fn dynamodb_error(status: u16, code: &str) -> Fault {
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"about phone#+86{ERIC}"}}"#
    );
    Fault::Answers { status, body }
}

#[track_caller]
fn assert_not_sent(answer: &Answer) {
    answer.assert_a(
        500,
        "SEND_MESSAGE_ERROR",
        "Cannot send message, try again later.",
    );
    assert!(answer.took < WITHIN, "{:?}", answer.took);
}

#[track_caller]
fn assert_internal(answer: &Answer) {
    answer.assert_a(
        500,
        "INTERNAL_SERVER_ERROR",
        "Server can't handle your request now.",
    );
    assert!(answer.took < WITHIN, "{:?}", answer.took);
}

async fn assert_a_failed_sms_can_be_retried_at_once(app: &TestApp, fault: Fault) {
    let definite = matches!(fault, Fault::Refuses)
        || matches!(
            fault,
            Fault::Answers {
                status: 400..500,
                ..
            }
        );
    app.sns.break_it(fault.clone());
    let before = app.sns.calls().len();
    assert_not_sent(&app.send_login_code(ERIC).await);
    let publishes = app.sns.calls().len() - before;
    assert!(publishes <= 1, "{fault:?}: published {publishes} times");
    app.sns.mend().await;
    assert!(app.texts(ERIC).is_empty(), "{fault:?}");
    let (ticket, code) = app.login_code(ERIC).await;
    assert_eq!(app.texts(ERIC).len(), 1, "{fault:?}");
    assert_eq!(app.log_in(&ticket, &code).await.status, 200, "{fault:?}");
    // A message that SNS may have sent, and will charge, counts; one that it refused does not.
    let counted = app.code_item("sends#+8613800138001").await;
    let counted = counted
        .iter()
        .filter(|(name, at)| name.starts_with('s') && at.as_n().is_ok_and(|at| at != "0"));
    assert_eq!(counted.count(), if definite { 1 } else { 2 }, "{fault:?}");
}

#[tokio::test]
async fn sns_refuses_connections() {
    scenario(async |app| assert_a_failed_sms_can_be_retried_at_once(app, Fault::Refuses).await)
        .await;
}

#[tokio::test]
async fn sns_hangs() {
    scenario(async |app| assert_a_failed_sms_can_be_retried_at_once(app, Fault::Hangs).await).await;
}

#[tokio::test]
async fn sns_throttles_fails_or_refuses() {
    for fault in [
        sns_error(400, "Throttling"),
        sns_error(429, "Throttled"),
        sns_error(500, "InternalError"),
        sns_error(403, "AuthorizationError"),
        sns_error(400, "InvalidParameter"),
        sns_error(400, "OptedOut"),
        Fault::Answers {
            status: 500,
            body: String::new(),
        },
        Fault::Answers {
            status: 503,
            body: "<html>busy</html>".into(),
        },
        Fault::Answers {
            status: 200,
            body: "not the answer".into(),
        },
    ] {
        scenario(async |app| {
            assert_a_failed_sms_can_be_retried_at_once(app, fault.clone()).await;
        })
        .await;
    }
}

#[tokio::test]
async fn an_sms_whose_answer_is_lost_is_sent_once_and_the_retry_brings_the_same_code() {
    scenario(async |app| {
        app.sns.break_it(Fault::LosesAnswers { times: 1 });
        assert_not_sent(&app.send_login_code(ERIC).await);
        assert_eq!(app.texts(ERIC).len(), 1);
        app.sns.mend().await;
        let (ticket, code) = app.login_code(ERIC).await;
        let texts = app.texts(ERIC);
        assert_eq!(texts[0], texts[1], "nobody is left with two codes");
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
    })
    .await;
}

async fn assert_dynamodb_down_costs_nothing(app: &TestApp, fault: Fault) {
    // Down for a send: nothing goes out, nothing is counted.
    app.dynamodb.break_it(fault.clone());
    assert_internal(&app.send_login_code(ERIC).await);
    assert!(app.texts(ERIC).is_empty(), "{fault:?}");
    app.dynamodb.mend().await;
    let (ticket, code) = app.login_code(ERIC).await;
    // Down for a login: the code stays good.
    app.dynamodb.break_it(fault.clone());
    assert_internal(&app.log_in(&ticket, &code).await);
    app.dynamodb.mend().await;
    assert_eq!(app.log_in(&ticket, &code).await.status, 200, "{fault:?}");
}

#[tokio::test]
async fn dynamodb_refuses_connections() {
    scenario(async |app| assert_dynamodb_down_costs_nothing(app, Fault::Refuses).await).await;
}

#[tokio::test]
async fn dynamodb_hangs() {
    scenario(async |app| assert_dynamodb_down_costs_nothing(app, Fault::Hangs).await).await;
}

#[tokio::test]
async fn dynamodb_throttles_fails_or_has_lost_its_tables() {
    for fault in [
        dynamodb_error(400, "ProvisionedThroughputExceededException"),
        dynamodb_error(400, "ThrottlingException"),
        dynamodb_error(400, "RequestLimitExceeded"),
        dynamodb_error(500, "InternalServerError"),
        dynamodb_error(400, "ResourceNotFoundException"),
        dynamodb_error(400, "AccessDeniedException"),
        dynamodb_error(400, "ExpiredTokenException"),
        Fault::Answers {
            status: 503,
            body: String::new(),
        },
        Fault::Answers {
            status: 200,
            body: "{".into(),
        },
    ] {
        scenario(async |app| assert_dynamodb_down_costs_nothing(app, fault.clone()).await).await;
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_done_twice_nor_taken_for_anothers() {
    scenario(async |app| {
        // The read's answer, then the write's: each is asked for again.
        app.dynamodb.break_it(Fault::LosesAnswers { times: 1 });
        let (ticket, code) = app.login_code(ERIC).await;
        app.dynamodb.break_it(Fault::LosesAnswers { times: 1 });
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        assert_eq!(app.texts(ERIC).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_answer_of_the_spending_write_is_lost_and_the_login_succeeds_all_the_same() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        app.dynamodb.break_it(Fault::LosesAnswersOf {
            operation: "PutItem",
            times: 1,
        });
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        app.wait(120);
        app.dynamodb.break_it(Fault::LosesAnswersOf {
            operation: "TransactWriteItems",
            times: 1,
        });
        app.login_code(ERIC).await;
        assert_eq!(app.texts(ERIC).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_send_that_was_recorded_but_never_answered_gives_the_cool_down_back() {
    scenario(async |app| {
        let operation = "TransactWriteItems";
        app.dynamodb.break_it(Fault::LosesAnswersOf {
            operation,
            times: 3,
        });
        assert_internal(&app.send_login_code(ERIC).await);
        assert!(app.texts(ERIC).is_empty());
        app.login_code(ERIC).await;
        let counted = app.code_item("sends#+8613800138001").await;
        assert_eq!(counted["s1"].as_n().unwrap(), "0", "one message, one count");
    })
    .await;
}
