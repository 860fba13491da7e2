//! Faults of AWS: every answer comes in its dialect, within 10 s, and nothing is lost.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    ANNA, Answer, ERIC, ERIC_PASSWORD, MARY, TestApp, ZOE,
    fault::{Fault, cancelled, dynamodb_error, sns_error},
    message::{NOT_SENT, PHONE_EXISTS},
    scenario, scenario_with,
};

const WITHIN: Duration = Duration::from_secs(10);

#[track_caller]
fn assert_not_sent(answer: &Answer) {
    answer.assert_refused(NOT_SENT);
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
async fn sns_closes_connections() {
    scenario(async |app| assert_a_failed_sms_can_be_retried_at_once(app, Fault::Closes).await)
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
        assert_eq!(texts[0], texts[1], "the retry sends the same code");
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
async fn a_login_write_whose_answer_is_lost_is_done_once_and_recognised() {
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
            operation: "TransactWriteItems",
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
async fn a_send_recorded_but_unanswered_releases_its_cool_down() {
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

/// A way to a new password for eric.
#[derive(Debug, Clone, Copy)]
enum Way {
    InSession,
    WithOldPassword,
    Forgotten,
}

const NEW_PASSWORD: &str = "second-password";

impl Way {
    const ALL: [Self; 3] = [Self::InSession, Self::WithOldPassword, Self::Forgotten];

    /// How many requests to DynamoDB it takes.
    fn requests(self) -> usize {
        match self {
            Self::InSession | Self::Forgotten => 2,
            Self::WithOldPassword => 4,
        }
    }

    async fn send(self, app: &TestApp, session: &str) -> (String, String) {
        match self {
            Self::InSession | Self::WithOldPassword => app.change_password_code(session).await,
            Self::Forgotten => app.reset_code(ERIC).await,
        }
    }

    async fn change(
        self,
        app: &TestApp,
        session: &str,
        sent: &(String, String),
        (old, new): (&str, &str),
    ) -> Answer {
        match self {
            Self::InSession => app.change_password(session, &sent.0, &sent.1, new).await,
            Self::WithOldPassword => app.change_password_from(old, session, sent, new).await,
            Self::Forgotten => app.reset_password(&sent.0, &sent.1, new).await,
        }
    }
}

/// The result of a change that met a fault.
#[derive(Debug, PartialEq)]
enum Became {
    /// It was answered with success, and made.
    Made,
    /// It was answered with an internal error, and made all the same.
    MadeUnanswered,
    /// It was answered with an internal error, and nothing of it was made.
    Nothing,
}

/// Never a spent code with the old password, nor a new password with a live code, nor a session that
/// outlives its password.
async fn assert_a_change_is_whole(app: &TestApp, way: Way, fault: Fault) -> Became {
    let told = format!("{way:?}, {fault:?}");
    let session = app.session_of_eric().await;
    let sent = way.send(app, &session).await;
    app.dynamodb.break_it(fault);
    let answer = way
        .change(app, &session, &sent, (ERIC_PASSWORD, NEW_PASSWORD))
        .await;
    app.dynamodb.mend().await;
    assert!(answer.took < WITHIN, "{told}: {:?}", answer.took);

    let logs_in =
        async |password: &str| app.log_in_with_password("eric", password).await.status == 200;
    let (old, new) = (logs_in(ERIC_PASSWORD).await, logs_in(NEW_PASSWORD).await);
    assert_ne!(old, new, "{told}");
    assert_eq!(app.info(&session).await.status == 200, old, "{told}");
    let now = if new { NEW_PASSWORD } else { ERIC_PASSWORD };
    let again = app.session_of("eric", now).await;
    let again = way
        .change(app, &again, &sent, (now, "third-password"))
        .await;
    if new {
        assert_eq!(again.body["code"], "{CODE}_NOT_VALID", "{told}: {again:?}");
    } else {
        assert_eq!(again.status, 200, "{told}: {again:?}");
    }
    match answer.status {
        200 => {
            assert!(new, "{told}");
            Became::Made
        }
        _ => {
            assert_eq!(answer.status, 500, "{told}: {answer:?}");
            assert_eq!(answer.body["code"], "INTERNAL_SERVER_ERROR", "{told}");
            if new {
                Became::MadeUnanswered
            } else {
                Became::Nothing
            }
        }
    }
}

/// Runs each way with the fault beginning at each of its requests: all at once, because they mostly wait.
async fn assert_changes_are_whole(fault: Fault, expected: impl Fn(Way, usize) -> Became) {
    let places = Way::ALL
        .into_iter()
        .flat_map(|way| (0..way.requests()).map(move |n| (way, n)));
    let (fault, expected) = (&fault, &expected);
    join_all(places.map(async |(way, n)| {
        scenario(async |app| {
            let then = Box::new(fault.clone());
            let fault = Fault::After { requests: n, then };
            let became = assert_a_change_is_whole(app, way, fault.clone()).await;
            assert_eq!(became, expected(way, n), "{way:?}, {fault:?}");
        })
        .await;
    }))
    .await;
}

#[tokio::test]
async fn a_password_change_is_whole_or_nothing_wherever_dynamodb_begins_to_fail() {
    for fault in [
        dynamodb_error(500, "InternalServerError"),
        dynamodb_error(400, "ThrottlingException"),
        dynamodb_error(400, "AccessDeniedException"),
    ] {
        assert_changes_are_whole(fault, |_, _| Became::Nothing).await;
    }
}

#[tokio::test]
async fn a_password_change_is_whole_or_nothing_wherever_answers_begin_to_get_lost() {
    let for_ever = Fault::LosesAnswers { times: usize::MAX };
    assert_changes_are_whole(for_ever, |way, n| {
        let is_transaction = n + 1 == way.requests();
        if is_transaction {
            Became::MadeUnanswered
        } else {
            Became::Nothing
        }
    })
    .await;
}

#[tokio::test]
async fn a_password_change_is_made_whichever_answer_is_lost_once() {
    assert_changes_are_whole(Fault::LosesAnswers { times: 1 }, |_, _| Became::Made).await;
}

fn fails(operation: &'static str) -> Fault {
    dynamodb_error(500, "InternalServerError").only_to(operation, usize::MAX)
}

/// DynamoDB's error while another transaction writes one of the items.
fn conflicts(times: usize) -> Fault {
    cancelled(2, "TransactionConflict").only_to("TransactWriteItems", times)
}

#[tokio::test]
async fn a_password_change_is_whole_or_nothing_whichever_operation_fails() {
    for way in Way::ALL {
        for operation in ["BatchGetItem", "UpdateItem", "TransactWriteItems"] {
            scenario(async |app| {
                let became = assert_a_change_is_whole(app, way, fails(operation)).await;
                let expected = match (way, operation) {
                    (Way::InSession | Way::Forgotten, "UpdateItem") => Became::Made,
                    _ => Became::Nothing,
                };
                assert_eq!(became, expected, "{way:?}, {operation}");
            })
            .await;
        }
        // A lost race to another transaction is no failure: the request is decided again.
        scenario(async |app| {
            let became = assert_a_change_is_whole(app, way, conflicts(3)).await;
            assert_eq!(became, Became::Made, "{way:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_failed_change_password_answers_the_dialects_error_with_a_fresh_token() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let sent = app.change_password_code(&session).await;
        app.dynamodb.break_it(fails("TransactWriteItems"));
        let answer = app
            .change_password(&session, &sent.0, &sent.1, NEW_PASSWORD)
            .await;
        app.dynamodb.mend().await;
        let fresh = answer.assert_a_with_token(
            500,
            "INTERNAL_SERVER_ERROR",
            "Server can't handle your request now.",
        );
        assert_eq!(app.info(&fresh).await.status, 200);
        app.dynamodb.break_it(fails("BatchGetItem"));
        let answers = [
            app.info(&session).await,
            app.send_change_password_code(&session).await,
            app.change_password(&session, &sent.0, &sent.1, NEW_PASSWORD)
                .await,
            app.log_in_with_password("eric", ERIC_PASSWORD).await,
            app.send_reset_code(ERIC).await,
            app.send_register_code(ANNA).await,
        ];
        answers.iter().for_each(assert_internal);
    })
    .await;
}

#[tokio::test]
async fn a_registration_is_whole_or_nothing_wherever_dynamodb_fails() {
    let error = || Box::new(dynamodb_error(500, "InternalServerError"));
    let lost = |times| Box::new(Fault::LosesAnswers { times });
    let after = |requests, then| Fault::After { requests, then };
    let faults = [
        (after(0, error()), Became::Nothing),
        (after(1, error()), Became::Nothing),
        (after(0, lost(usize::MAX)), Became::Nothing),
        (after(1, lost(usize::MAX)), Became::MadeUnanswered),
        (after(0, lost(1)), Became::Made),
        (after(1, lost(1)), Became::Made),
        (fails("TransactWriteItems"), Became::Nothing),
        (conflicts(3), Became::Made),
    ];
    join_all(faults.map(async |(fault, expected)| {
        scenario(async |app| {
            let (ticket, code) = app.register_code(ANNA).await;
            app.dynamodb.break_it(fault.clone());
            let answer = app.register(&ticket, &code, "anna", "anna-password").await;
            app.dynamodb.mend().await;
            let keys = app.user_keys().await.len();
            let again = app.register(&ticket, &code, "anna", "anna-password").await;
            match expected {
                Became::Made => assert_eq!(answer.status, 200, "{fault:?}: {answer:?}"),
                Became::MadeUnanswered | Became::Nothing => assert_internal(&answer),
            }
            match expected {
                Became::Nothing => {
                    assert_eq!(keys, 6, "{fault:?}");
                    assert_eq!(again.status, 200, "{fault:?}: {again:?}");
                }
                Became::Made | Became::MadeUnanswered => {
                    assert_eq!(keys, 9, "{fault:?}");
                    again.assert_refused(PHONE_EXISTS);
                }
            }
            app.session_of("anna", "anna-password").await;
        })
        .await;
    }))
    .await;
}

#[tokio::test]
async fn a_failed_sms_of_register_change_or_reset_can_be_requested_again_at_once() {
    for fault in [
        Fault::Refuses,
        sns_error(500, "InternalError"),
        sns_error(400, "OptedOut"),
    ] {
        scenario(async |app| {
            let session = app.session_of_eric().await;
            app.sns.break_it(fault.clone());
            assert_not_sent(&app.send_register_code(ANNA).await);
            assert_not_sent(&app.send_reset_code(ERIC).await);
            let refused = app.send_change_password_code(&session).await;
            let message = "Cannot send message, try again later.";
            refused.assert_a_with_token(500, "SEND_MESSAGE_ERROR", message);
            app.sns.mend().await;
            assert!(app.inbox().messages().is_empty());

            let (ticket, code) = app.register_code(ANNA).await;
            let answer = app.register(&ticket, &code, "anna", "anna-password").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let (ticket, code) = app.change_password_code(&session).await;
            let answer = app
                .change_password(&session, &ticket, &code, NEW_PASSWORD)
                .await;
            answer.assert_ok_with_token(&json!(true));
            let (ticket, code) = app.reset_code(ERIC).await;
            let answer = app.reset_password(&ticket, &code, "third-password").await;
            answer.assert_ok(&json!(true));
        })
        .await;
    }
}

#[tokio::test]
async fn a_login_that_failed_in_dynamodb_can_be_repeated() {
    for fault in [
        fails("BatchGetItem"),
        fails("UpdateItem"),
        fails("GetItem"),
        Fault::Refuses,
    ] {
        scenario(async |app| {
            app.dynamodb.break_it(fault.clone());
            for password in [ERIC_PASSWORD, "wrong-password"] {
                assert_internal(&app.log_in_with_password("eric", password).await);
            }
            app.dynamodb.mend().await;
            app.session_of_eric().await;
        })
        .await;
    }
}

#[tokio::test]
async fn login_succeeds_although_an_outdated_hash_cannot_be_replaced() {
    let environment = [("PASSWORD_MEMORY_KIB", "128")];
    scenario_with(&environment, async |app| {
        let old = app.stored_hash(5).await;
        // The attempt is counted and removed, and the session started, first.
        let then = Box::new(fails("UpdateItem"));
        let fault = Fault::After { requests: 7, then };
        app.dynamodb.break_it(fault);
        app.session_of_eric().await;
        app.dynamodb.mend().await;
        assert_eq!(app.stored_hash(5).await, old);
        app.session_of_eric().await;
        assert_ne!(app.stored_hash(5).await, old);
    })
    .await;
}

/// All that a request to each endpoint of dialects B and C needs to succeed.
struct Prepared {
    session: String,
    recovery: String,
    reset: String,
    move_code: String,
}

/// The endpoints of dialects B and C.
const ENDPOINTS: usize = 5;

impl Prepared {
    async fn new(app: &TestApp) -> Self {
        app.session_of_zoe().await;
        let session = app.session_of_eric().await;
        Self {
            recovery: app.verification_code("eric", ERIC).await,
            reset: app.reset_token("zoe", ZOE).await,
            move_code: app.phone_change_code(&session, ANNA).await,
            session,
        }
    }

    /// A valid request to the `n`-th endpoint.
    async fn ask(&self, app: &TestApp, n: usize) -> Answer {
        match n {
            0 => app.send_verification_code("mary", MARY).await,
            1 => app.make_sure("eric", &self.recovery).await,
            2 => app.change_passwd("zoe", &self.reset, "Wachtwoord42").await,
            3 => {
                app.send_phone_change_code(&self.session, "13900139009")
                    .await
            }
            _ => app.change_phone(&self.session, ANNA, &self.move_code).await,
        }
    }

    /// Asserts that the `n`-th endpoint fails as its dialect says: with HTTP status 200.
    async fn assert_fails(&self, app: &TestApp, n: usize) {
        let answer = self.ask(app, n).await;
        match n {
            0..3 => answer.assert_b(2003, "操作失败"),
            _ => answer.assert_c(500, "Server Error"),
        }
        assert!(answer.took < WITHIN, "{:?}", answer.took);
    }

    /// Asserts that the `n`-th endpoint does what it is asked.
    async fn assert_succeeds(&self, app: &TestApp, n: usize) {
        let answer = self.ask(app, n).await;
        match n {
            0 => answer.assert_b_ok("已发送短信"),
            1 => answer.assert_b_ok(&app.learn_reset_token(&answer).unwrap_or_default()),
            2 => answer.assert_b_ok("密码修改成功"),
            _ => answer.assert_c_success(),
        }
    }
}

#[tokio::test]
async fn dialects_b_and_c_answer_200_when_dynamodb_fails_and_nothing_is_spent() {
    scenario(async |app| {
        let prepared = Prepared::new(app).await;
        for fault in [
            fails("BatchGetItem"),
            fails("TransactWriteItems"),
            dynamodb_error(400, "AccessDeniedException"),
            dynamodb_error(400, "ProvisionedThroughputExceededException"),
            Fault::Answers {
                status: 200,
                body: "{".into(),
            },
            Fault::Refuses,
        ] {
            app.dynamodb.break_it(fault);
            for n in 0..ENDPOINTS {
                prepared.assert_fails(app, n).await;
            }
            app.dynamodb.mend().await;
        }
        for n in 0..ENDPOINTS {
            prepared.assert_succeeds(app, n).await;
        }
    })
    .await;
}

#[tokio::test]
async fn dialects_b_and_c_answer_200_in_time_when_dynamodb_hangs() {
    // Each in a system of its own, so that they wait together.
    let scenarios = (0..ENDPOINTS).map(|n| {
        scenario(async move |app: &TestApp| {
            let prepared = Prepared::new(app).await;
            app.dynamodb.break_it(Fault::Hangs);
            prepared.assert_fails(app, n).await;
            app.dynamodb.mend().await;
            prepared.assert_succeeds(app, n).await;
        })
    });
    join_all(scenarios).await;
}

#[tokio::test]
async fn in_dialects_b_and_c_a_write_whose_answer_is_lost_is_done_once_and_recognised() {
    scenario(async |app| {
        let prepared = Prepared::new(app).await;
        for n in 0..ENDPOINTS {
            app.dynamodb.break_it(Fault::LosesAnswersOf {
                operation: "TransactWriteItems",
                times: 1,
            });
            prepared.assert_succeeds(app, n).await;
        }
        // One message for each send, and the notice to the old number.
        assert_eq!(app.inbox().messages().len(), 3 + 2 + 1);
    })
    .await;
}

#[tokio::test]
async fn in_dialects_b_and_c_an_sms_whose_answer_is_lost_is_sent_once() {
    scenario(async |app| {
        app.sns.break_it(Fault::LosesAnswers { times: 1 });
        let answer = app.send_verification_code("eric", ERIC).await;
        answer.assert_b(8012, "短信发送失败，请稍后再试:1");
        app.sns.mend().await;
        app.reset_token("eric", ERIC).await;
        let texts = app.texts(ERIC);
        assert_eq!(texts, [texts[0].as_str(); 2]);

        let session = app.session_of_eric().await;
        app.sns.break_it(Fault::LosesAnswers { times: 1 });
        let answer = app.send_phone_change_code(&session, ANNA).await;
        answer.assert_c(400_192, "sms unavailable");
        app.sns.mend().await;
        app.move_to(&session, ANNA).await;
        let texts = app.texts(ANNA);
        assert_eq!(texts, [texts[0].as_str(); 2]);
    })
    .await;
}
