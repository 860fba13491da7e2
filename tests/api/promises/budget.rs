//! The money ledger: what a day's messages may cost.

use serde_json::json;
use shared::telemetry::metrics::Metric;

use crate::support::{
    ANNA, Answer, ERIC, ERIC_PASSWORD, MARY, PATIENT, TestApp, fault::Fault, metrics::values,
    scenario_with,
};

/// Three messages a day: four fifths of the cap are for anybody's.
const THREE: &[(&str, &str)] = &[
    ("DAILY_SPEND_USD", "0.16"),
    ("SMS_PRICES_USD", r#"{"86":0.04}"#),
];
const DAY: u64 = 24 * 3600;
const HOME: &str = "203.0.113.9";

async fn ask(app: &TestApp, n: u32) -> Answer {
    app.send_register_code(&format!("139{n:08}")).await
}

/// The sum of all shards, in millionths of a dollar.
async fn spent(app: &TestApp) -> u64 {
    let (mut total, today) = (0, app.clock.now().0 / 1000 / DAY);
    for shard in 0..32 {
        let item = app.code_item(&format!("spend#{today}#{shard}")).await;
        let spent = item.get("total").map_or("0", |total| total.as_n().unwrap());
        total += spent.parse::<u64>().unwrap();
    }
    total
}

#[tokio::test]
async fn a_days_cap_refuses_sends_until_the_next_day() {
    scenario_with(THREE, async |app| {
        for n in 0..3 {
            assert_eq!(ask(app, n).await.status, 200, "{n}");
        }
        let wait = ask(app, 3).await.assert_too_frequent();
        assert!(wait <= DAY, "{wait}");
        assert_eq!(app.inbox().messages().len(), 3);
        app.wait(wait);
        assert_eq!(ask(app, 3).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn each_send_measures_how_much_is_spent() {
    scenario_with(THREE, async |app| {
        let told = || -> Vec<f64> {
            let lines = app.metrics();
            let used = lines
                .iter()
                .flat_map(|line| values(line, Metric::BudgetUsed));
            used.collect()
        };
        for (n, percent) in [25.0, 50.0, 75.0, 100.0].into_iter().enumerate() {
            let answer = ask(app, n as u32).await;
            assert_eq!(answer.status, if n < 3 { 200 } else { 400 });
            assert_eq!(told().last(), Some(&percent), "{n}");
        }
    })
    .await;
}

#[tokio::test]
async fn over_several_shards_the_measure_is_that_of_their_sum() {
    // Fifty messages in two shards.
    let environment = [
        ("DAILY_SPEND_USD", "2.00"),
        ("SMS_PRICES_USD", r#"{"86":0.04}"#),
    ];
    scenario_with(&environment, async |app| {
        let told = || -> Vec<f64> {
            let lines = app.metrics();
            let used = lines
                .iter()
                .flat_map(|line| values(line, Metric::BudgetUsed));
            used.collect()
        };
        for n in 1..=30 {
            let before = told().len();
            assert_eq!(ask(app, n).await.status, 200);
            app.wait(1);
            for measured in &told()[before..] {
                assert_eq!(*measured, f64::from(2 * n), "{n}");
            }
        }
        let half = told().into_iter().find(|percent| *percent >= 50.0);
        assert!(half.is_some_and(|percent| percent <= 54.0), "{half:?}");
    })
    .await;
}

#[tokio::test]
async fn a_fifth_of_the_money_is_kept_for_accounts_that_know_who_asks() {
    // Ten messages: eight for anybody.
    let ten = [
        ("DAILY_SPEND_USD", "0.40"),
        ("SMS_PRICES_USD", r#"{"86":0.04}"#),
    ];
    scenario_with(&ten, async |app| {
        let (ticket, code) = app.register_code(ANNA).await;
        let body = json!({
            "phoneInfo": ticket, "code": code, "name": "anna", "password": "anna-password",
        });
        let anna = app.post_from(HOME, "/v1/user/register", body).await;
        assert_eq!(anna.status, 200);
        let session = app.session_of_eric().await;
        let body = json!({"value": "eric", "password": ERIC_PASSWORD});
        app.post_from(HOME, "/v1/user/login", body).await;
        for n in 0..7 {
            assert_eq!(ask(app, n).await.status, 200, "{n}");
        }
        ask(app, 7).await.assert_too_frequent();
        // Never for a number that is not the account's, although nothing of it is used yet.
        let moving = app.send_phone_change_code(&session, "13900139007").await;
        moving.assert_c_for_now(429, "Too Many Requests", 0..=DAY);
        let at_home = async |phone: &str| {
            let body = json!({ "phone": phone });
            app.post_from(HOME, "/v1/user/sendLoginMessage", body).await
        };
        // Not for strangers, not for an account of today's.
        app.send_login_code(ERIC).await.assert_too_frequent();
        at_home(ANNA).await.assert_too_frequent();
        // Two messages for one account a day: to a known address, and to a session.
        assert_eq!(at_home(ERIC).await.status, 200);
        let in_session = app.send_change_password_code(&session).await;
        assert_eq!(in_session.status, 200);
        app.wait(121);
        let third = app.send_change_password_code(&session).await;
        assert_eq!(third.body["code"], "SEND_MESSAGE_FREQUENTLY");
        assert_eq!(app.texts(ERIC).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_country_can_have_a_lower_cap_of_its_own() {
    let environment = [
        ("ALLOWED_COUNTRY_CODES", "86,44"),
        ("SMS_PRICES_USD", r#"{"86":0.04,"44":0.04}"#),
        ("DAILY_SPEND_USD", "0.26"),
        ("DAILY_SPEND_BY_COUNTRY_USD", r#"{"86":0.11}"#),
    ];
    scenario_with(&environment, async |app| {
        let british = async |n: u32| {
            let body = json!({"countryCode": "44", "phone": format!("79112345{n:02}")});
            app.post("/v1/user/sendRegisterMessage", body).await
        };
        for n in 0..2 {
            assert_eq!(ask(app, n).await.status, 200, "{n}");
        }
        ask(app, 2).await.assert_too_frequent();
        for n in 0..3 {
            assert_eq!(british(n).await.status, 200, "{n}");
        }
        british(3).await.assert_too_frequent();
    })
    .await;
}

#[tokio::test]
async fn a_message_that_sns_refuses_costs_nothing() {
    scenario_with(THREE, async |app| {
        app.sns.break_it(Fault::Refuses);
        for n in 0..5 {
            assert_eq!(ask(app, n).await.status, 500, "{n}");
        }
        app.sns.mend().await;
        for n in 0..3 {
            assert_eq!(ask(app, n).await.status, 200, "{n}");
        }
        ask(app, 3).await.assert_too_frequent();
    })
    .await;
}

#[tokio::test]
async fn a_failed_send_is_released_although_another_send_writes_the_ledger() {
    scenario_with(THREE, async |app| {
        let conflict = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons":[{"Code":"TransactionConflict","Message":"ongoing"}]}"#;
        app.sns.break_it(Fault::Refuses);
        // Four calls of the request come before; the fifth releases.
        app.dynamodb.break_it(Fault::After {
            requests: 4,
            then: Box::new(Fault::AnswersTo {
                operation: "TransactWriteItems",
                times: 1,
                status: 400,
                body: conflict.to_owned(),
            }),
        });
        assert_eq!(ask(app, 0).await.status, 500);
        assert_eq!(spent(app).await, 0, "millionths of a dollar");
    })
    .await;
}

#[tokio::test]
async fn a_message_that_may_have_gone_out_stays_paid_for() {
    scenario_with(THREE, async |app| {
        app.sns.break_it(Fault::LosesAnswers { times: 3 });
        for n in 0..3 {
            assert_eq!(ask(app, n).await.status, 500, "{n}");
        }
        app.sns.mend().await;
        ask(app, 3).await.assert_too_frequent();
        assert_eq!(app.inbox().messages().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_send_that_is_refused_otherwise_costs_nothing() {
    scenario_with(THREE, async |app| {
        for _ in 0..5 {
            app.send_login_code(ERIC).await;
            app.send_login_code(ANNA).await;
        }
        assert_eq!(app.send_login_code(MARY).await.status, 200);
        assert_eq!(ask(app, 0).await.status, 200);
        ask(app, 1).await.assert_too_frequent();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_sends_to_one_phone_only_the_one_sent_is_charged() {
    scenario_with(&[PATIENT], async |app| {
        let sends = (0..100).map(|_| app.send_login_code(ERIC));
        futures_util::future::join_all(sends).await;
        assert_eq!(app.texts(ERIC).len(), 1);
        assert_eq!(spent(app).await, 40_000, "millionths of a dollar");
    })
    .await;
}

#[tokio::test]
async fn a_notice_is_paid_for_too() {
    scenario_with(THREE, async |app| {
        let session = app.session_of_eric().await;
        app.move_to(&session, ANNA).await;
        assert_eq!(app.texts(ERIC).len(), 1, "told");
        assert_eq!(ask(app, 0).await.status, 200);
        ask(app, 1).await.assert_too_frequent();
    })
    .await;
}

#[tokio::test]
async fn without_money_codes_and_passwords_are_accepted_and_a_move_sends_no_notice() {
    let two = [
        ("DAILY_SPEND_USD", "0.11"),
        ("SMS_PRICES_USD", r#"{"86":0.04}"#),
    ];
    scenario_with(&two, async |app| {
        let (ticket, code) = app.login_code(MARY).await;
        let session = app.session_of_eric().await;
        let to_anna = app.phone_change_code(&session, ANNA).await;
        ask(app, 0).await.assert_too_frequent();
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        let logged_in = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        assert_eq!(logged_in.status, 200);
        app.change_phone(&session, ANNA, &to_anna)
            .await
            .assert_c_success();
        assert!(app.texts(ERIC).is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_spend_no_more_than_there_is_and_nearly_all_of_it() {
    // Fifty messages for anybody, in three shards.
    let environment = [
        ("DAILY_SPEND_USD", "2.50"),
        ("SMS_PRICES_USD", r#"{"86":0.04}"#),
        PATIENT,
    ];
    scenario_with(&environment, async |app| {
        let answers = futures_util::future::join_all((0..100).map(|n| ask(app, n))).await;
        let sent = app.inbox().messages().len();
        let answered = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(sent, answered);
        assert!((48..=50).contains(&sent), "{sent}");
    })
    .await;
}
