//! Each request writes one log line, and one line of metrics that CloudWatch reads.

use serde_json::{Value, json};
use shared::telemetry::metrics::Metric;

use crate::support::{
    ANNA, ERIC, MARY, TestApp,
    fault::Fault,
    metrics::{all_values, counted, values},
    scenario, scenario_with, wrong,
};

#[tokio::test]
async fn a_login_counts_one_code_sent_one_verified_and_its_calls() {
    scenario(async |app| {
        app.stays_at("203.0.113.9");
        app.session_of_eric().await;
        let before = app.metrics().len();
        let metrics = || app.metrics().split_off(before);
        let (ticket, code) = app.login_code(ERIC).await;
        let sent = metrics();
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0]["function"], "send-login-message");
        assert_eq!(sent[0]["Country"], "CN");
        assert_eq!(values(&sent[0], Metric::Sent), [1.0]);
        assert_eq!(values(&sent[0], Metric::SendAttempts), [1.0]);
        assert_eq!(values(&sent[0], Metric::Verified), [0.0]);
        assert_eq!(values(&sent[0], Metric::SmsLatency).len(), 1);
        assert_eq!(values(&sent[0], Metric::StoreLatency).len(), 4);

        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        let all = metrics();
        // Deferred work has a line of its own.
        let [_, verified, _] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert_eq!(verified["function"], "login-by-message");
        assert_eq!(verified["Country"], "CN");
        assert_eq!(verified["Outcome"], "Verified");
        assert_eq!(values(verified, Metric::Verified), [1.0]);
        assert_eq!(values(verified, Metric::Verifications), [1.0]);
        assert!(values(verified, Metric::SmsLatency).is_empty());
        assert_ne!(sent[0]["request_id"], verified["request_id"]);
    })
    .await;
}

#[tokio::test]
async fn each_line_declares_its_metrics() {
    scenario(async |app| {
        app.login_code(ERIC).await;
        for line in app.metrics() {
            let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
            let metrics = directives.iter().flat_map(|directive| {
                let metrics = directive["Metrics"].as_array().unwrap();
                metrics.iter().map(move |metric| (directive, metric))
            });
            for (directive, told) in metrics {
                let metric = Metric::ALL
                    .iter()
                    .find(|metric| told["Name"] == metric.name());
                let metric = metric.unwrap_or_else(|| panic!("{told}"));
                assert_eq!(told["Unit"], metric.unit());
                assert_eq!(directive["Dimensions"], json!(metric.dimensions()));
                assert!(!values(&line, *metric).is_empty(), "{line}");
                for name in metric.dimensions().iter().copied().flatten() {
                    assert!(line[name].is_string(), "{line}");
                }
            }
            assert!(line["_aws"]["Timestamp"].is_u64(), "{line}");
        }
    })
    .await;
}

#[tokio::test]
async fn verifications_are_counted_by_outcome() {
    scenario(async |app| {
        let (ticket, code) = app.login_code(ERIC).await;
        for n in 1..=5 {
            app.log_in(&ticket, &wrong(&code, n)).await;
        }
        app.log_in(&ticket, &code).await;
        app.wait(600);
        let (ticket, code) = app.login_code(ERIC).await;
        for n in 1..=5 {
            app.log_in(&ticket, &wrong(&code, n)).await;
        }
        app.log_in(&ticket, &code).await;
        let by = |outcome| counted(app, Metric::Verifications, Some(("Outcome", outcome)));
        assert_eq!(by("Wrong"), 10.0);
        assert_eq!(by("Expired"), 1.0);
        assert_eq!(by("Blocked"), 1.0);
        assert_eq!(by("Verified"), 0.0);
        assert_eq!(counted(app, Metric::Verified, None), 0.0);
    })
    .await;
}

#[tokio::test]
async fn a_right_code_counts_as_verified_only_if_its_request_succeeds() {
    scenario(async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let taken = app.register(&ticket, &code, "eric", "anna-password").await;
        assert_eq!(taken.body["code"], "{NAME}_EXISTS");
        assert_eq!(counted(app, Metric::Verified, None), 0.0);
        assert_eq!(
            counted(app, Metric::Refusals, Some(("Reason", "Taken"))),
            1.0
        );
        let made = app.register(&ticket, &code, "anna", "anna-password").await;
        assert_eq!(made.status, 200);
        assert_eq!(counted(app, Metric::Verified, Some(("Country", "CN"))), 1.0);
    })
    .await;
}

#[tokio::test]
async fn refusals_are_counted_by_reason() {
    scenario(async |app| {
        app.login_code(ERIC).await;
        app.send_login_code(ERIC).await;
        app.send_login_code("123").await;
        app.send_login_code(ANNA).await;
        app.log_in("forged", "123456").await;
        app.info("forged").await;
        app.log_in_with_password("eric", "wrong-password").await;
        let by = |reason| counted(app, Metric::Refusals, Some(("Reason", reason)));
        assert_eq!(by("CoolDown"), 1.0);
        assert_eq!(by("PhoneInvalid"), 1.0);
        assert_eq!(by("UserUnknown"), 1.0);
        assert_eq!(by("TicketInvalid"), 1.0);
        assert_eq!(by("TokenInvalid"), 1.0);
        assert_eq!(by("LoginRefused"), 1.0);
    })
    .await;
}

#[tokio::test]
async fn send_failures_are_counted_by_reason_and_internal_errors_apart() {
    scenario(async |app| {
        app.sns.break_it(Fault::Refuses);
        app.send_login_code(ERIC).await;
        app.sns.mend().await;
        let failures = |reason| counted(app, Metric::SendFailures, Some(("Reason", reason)));
        assert_eq!(failures("Unavailable"), 1.0);
        assert_eq!(counted(app, Metric::SendAttempts, None), 1.0);
        assert_eq!(counted(app, Metric::Sent, None), 0.0);
        assert_eq!(counted(app, Metric::InternalErrors, None), 0.0);

        app.dynamodb.break_it(Fault::Refuses);
        app.send_login_code(ERIC).await;
        app.dynamodb.mend().await;
        assert_eq!(counted(app, Metric::InternalErrors, None), 1.0);
    })
    .await;
}

#[tokio::test]
async fn a_notice_does_not_count_as_a_code() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        app.move_to(&session, ANNA).await;
        assert_eq!(counted(app, Metric::Sent, None), 1.0);
        assert_eq!(counted(app, Metric::Notices, None), 1.0);
        assert_eq!(counted(app, Metric::SendAttempts, None), 2.0);
        assert_eq!(counted(app, Metric::Verified, None), 1.0);
    })
    .await;
}

#[tokio::test]
async fn each_request_logs_one_line_with_endpoint_outcome_and_phone() {
    const PHONE: &str = "13911223344";
    scenario(async |app| {
        app.create_user(7, "lena", PHONE).await;
        let (ticket, code) = app.login_code(PHONE).await;
        app.log_in(&ticket, &code).await;
        app.send_verification_code("lena", PHONE).await;
        app.sns.break_it(Fault::Refuses);
        app.wait(61);
        app.send_verification_code("lena", PHONE).await;
        app.sns.mend().await;

        let lines = app.logged_about(PHONE);
        let told = |line: &Value| {
            let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            ["level", "function", "endpoint", "outcome", "message"].map(field)
        };
        let told: Vec<_> = lines.iter().map(told).collect();
        let expected = [
            [
                "INFO",
                "send-login-message",
                "sendLoginMessage",
                "OK",
                "answered",
            ],
            [
                "INFO",
                "login-by-message",
                "loginByMessage",
                "OK",
                "answered",
            ],
            [
                "INFO",
                "send-verification-code",
                "sendVerificationCode",
                "2006",
                "answered",
            ],
            [
                "ERROR",
                "send-verification-code",
                "sendVerificationCode",
                "8012",
                "SMS failed",
            ],
        ];
        assert_eq!(told, expected);
        for line in &lines {
            assert_eq!(line["phone"], "+86 *********44");
            let id = line["request_id"].as_str().unwrap_or_default();
            assert!(id.starts_with("local-"), "{line}");
        }
        assert_eq!(lines[3]["reason"], "connection failure");
    })
    .await;
}

#[tokio::test]
async fn the_log_has_the_id_of_each_message_by_which_snss_delivery_logs_name_it() {
    let id = |n| format!("00000000-0000-4000-8000-{n:012x}");
    let with_id = |app: &TestApp, id: &str| -> Vec<Value> {
        let lines = app.logged().into_iter();
        lines.filter(|line| line["message_id"] == id).collect()
    };
    scenario(async |app| {
        app.login_code(ERIC).await;
        let sent = with_id(app, &id(0));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0]["endpoint"], "sendLoginMessage");
        assert_eq!(sent, app.logged_with("phone_hash", &format!("+86{ERIC}")));
        let session = app.session_of_eric().await;
        app.move_to(&session, ANNA).await;
        let notice = with_id(app, &id(2));
        assert_eq!(notice.len(), 1);
        assert_eq!(notice[0]["message"], "sent");
        assert_eq!(notice[0]["phone"], "+86 *********01");
    })
    .await;
    // With hidden users the message is sent after the answer, and has a line of its own.
    scenario_with(&[("HIDE_UNKNOWN_USERS", "true")], async |app| {
        app.login_code(ERIC).await;
        let sent = with_id(app, &id(0));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0]["message"], "sent");
        assert_eq!(sent[0]["phone"], "+86 *********01");
    })
    .await;
}

#[tokio::test]
async fn sends_are_counted_by_country() {
    scenario_with(&[("ALLOWED_COUNTRY_CODES", "86,1")], async |app| {
        app.login_code(MARY).await;
        let body = json!({"countryCode": "1", "phone": "2025550143"});
        app.post("/v1/user/sendRegisterMessage", body).await;
        assert_eq!(counted(app, Metric::Sent, Some(("Country", "CN"))), 1.0);
        assert_eq!(counted(app, Metric::Sent, Some(("Country", "US"))), 1.0);
    })
    .await;
}

#[tokio::test]
async fn the_days_money_is_used_up_when_a_message_no_longer_fits() {
    let environment = [
        ("DAILY_SPEND_USD", "0.10"),
        ("SMS_PRICES_USD", r#"{"86":0.06}"#),
    ];
    scenario_with(&environment, async |app| {
        let used = || all_values(app, Metric::BudgetUsed);
        app.login_code(ERIC).await;
        assert_eq!(used(), [60.0]);
        app.send_login_code(MARY).await;
        assert_eq!(used(), [60.0, 100.0]);
        assert_eq!(
            counted(app, Metric::Refusals, Some(("Reason", "Budget"))),
            1.0
        );
    })
    .await;
}
