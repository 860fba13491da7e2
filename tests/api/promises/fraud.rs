//! The toll-fraud guard: unused codes, compared with their usual number.

use serde_json::json;
use shared::telemetry::metrics::Metric;

use crate::support::{ANNA, DAY, TestApp, message::new_number, metrics::counted, scenario_with};

const PUMP: &str = "203.0.113.7";
/// Four unused codes a day are usual. So low a cap has one shard, so that the first shard read is the
/// whole ledger; with 32, an attack gets one more message from each.
const FOUR: &[(&str, &str)] = &[("FRAUD_UNVERIFIED_A_DAY", "4"), ("DAILY_SPEND_USD", "1.50")];

/// Registers the `n`-th new number from an address, code and all.
async fn join(app: &TestApp, address: &str, n: u32) {
    let sent = app.send_register_code_from(address, n).await;
    assert_eq!(sent.status, 200, "{n}: {sent:?}");
    let code = app.last_code(&new_number(n));
    let body = json!({
        "phoneInfo": sent.result(), "code": code, "name": format!("n{n}"), "password": "a-password",
    });
    let joined = app.post_from(address, "/v1/user/register", body).await;
    assert_eq!(joined.status, 200, "{joined:?}");
}

#[tokio::test]
async fn beyond_the_usual_only_addresses_without_used_codes_are_refused() {
    scenario_with(FOUR, async |app| {
        for n in 0..4 {
            assert_eq!(
                app.send_register_code_from(PUMP, n).await.status,
                200,
                "{n}"
            );
        }
        let wait = app
            .send_register_code_from(PUMP, 4)
            .await
            .assert_too_frequent();
        assert!(wait <= DAY, "{wait}");
        // A new address's first code goes out all the same, and so does its second.
        let newcomer = "203.0.113.8";
        assert_eq!(app.send_register_code_from(newcomer, 5).await.status, 200);
        assert_eq!(app.send_register_code_from(newcomer, 6).await.status, 200);
        assert_eq!(app.send_register_code_from(newcomer, 7).await.status, 400);
        app.wait(wait);
        assert_eq!(
            app.send_register_code_from(PUMP, 4).await.status,
            200,
            "the next day"
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_whose_codes_are_used_has_credit() {
    scenario_with(FOUR, async |app| {
        let office = "198.51.100.1";
        for n in 100..106 {
            join(app, office, n).await;
        }
        // Six used codes make six unused ones usual; the attack reaches that number.
        for n in 0..6 {
            assert_eq!(
                app.send_register_code_from(PUMP, n).await.status,
                200,
                "{n}"
            );
        }
        assert_eq!(app.send_register_code_from(PUMP, 6).await.status, 400);
        for n in 200..208 {
            assert_eq!(
                app.send_register_code_from(office, n).await.status,
                200,
                "{n}"
            );
        }
        assert_eq!(app.send_register_code_from(office, 208).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn the_guard_judges_where_addresses_have_no_limit_too() {
    let environment = [FOUR, &[("SENDS_PER_ADDRESS_DAY", "0")]].concat();
    scenario_with(&environment, async |app| {
        for n in 0..4 {
            assert_eq!(
                app.send_register_code_from(PUMP, n).await.status,
                200,
                "{n}"
            );
        }
        assert_eq!(app.send_register_code_from(PUMP, 4).await.status, 400);
        // Whoever uses the codes is not held to any number.
        let office = "198.51.100.1";
        for n in 100..120 {
            join(app, office, n).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_network_is_judged_as_its_subscribers_are() {
    scenario_with(FOUR, async |app| {
        let mut sent = 0;
        for n in 0..100 {
            let address = format!("2001:db8:1:2{n:02x}::1");
            sent += usize::from(app.send_register_code_from(&address, n).await.status == 200);
        }
        // At first all, up to the usual four; then each quarter of the network as one address.
        assert!((4..=12).contains(&sent), "{sent} of 100");
    })
    .await;
}

#[tokio::test]
async fn each_country_is_judged_by_itself() {
    let environment = [FOUR, &[("ALLOWED_COUNTRY_CODES", "86,44")]].concat();
    scenario_with(&environment, async |app| {
        for n in 0..4 {
            app.send_register_code_from(PUMP, n).await;
        }
        assert_eq!(app.send_register_code_from(PUMP, 4).await.status, 400);
        let body = json!({"countryCode": "44", "phone": "7911234567"});
        let path = "/v1/user/sendRegisterMessage";
        assert_eq!(app.post_from(PUMP, path, body).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn islands_with_the_calling_code_of_a_served_country_get_nothing() {
    scenario_with(&[("ALLOWED_COUNTRY_CODES", "86,1")], async |app| {
        for island in [
            "8763010000",
            "8092010000",
            "8292010000",
            "2684640000",
            "2462301234",
            "2423591234",
            "4413701234",
            "7672251234",
            "4734031234",
            "8685021234",
            "7843011234",
            "6642301234",
        ] {
            for path in ["sendRegisterMessage", "sendLoginMessage"] {
                let body = json!({"countryCode": "1", "phone": island});
                let answer = app.post(&format!("/v1/user/{path}"), body).await;
                answer.assert_a(400, "PHONE_NOT_VALIDATE", "Phone not validate");
            }
        }
        assert!(app.inbox().messages().is_empty());
        let american = json!({"countryCode": "1", "phone": "2015550123"});
        let answer = app.post("/v1/user/sendRegisterMessage", american).await;
        assert_eq!(answer.status, 200);
    })
    .await;
}

#[tokio::test]
async fn an_account_of_a_country_that_is_served_no_longer_gets_no_message() {
    scenario_with(&[("ALLOWED_COUNTRY_CODES", "86,44")], async |app| {
        let carol = json!({
            "name": "carol", "countryCode": "44", "phone": "7911234567", "password": "a-password",
        });
        app.import(json!([carol])).await;
        let session = app.session_of("carol", "a-password").await;
        app.redeploy(&[("ALLOWED_COUNTRY_CODES", "86")]).await;
        let refused = app.send_change_password_code(&session).await;
        refused.assert_a_with_token(400, "PHONE_NOT_VALIDATE", "Phone not validate");
        app.move_to(&session, ANNA).await;
        let sent = app.inbox().messages().into_iter();
        let phones: Vec<String> = sent.map(|sms| sms.phone).collect();
        assert_eq!(phones, [format!("+86{ANNA}")], "no notice");
    })
    .await;
}

#[tokio::test]
async fn observe_only_counts_enforce_refuses_and_off_does_neither() {
    for (mode, decision, pump) in [
        ("observe", Some("Observed"), "203.0.113.11"),
        ("enforce", Some("Refused"), "203.0.113.12"),
        ("off", None, "203.0.113.13"),
    ] {
        let environment = [FOUR, &[("FRAUD_GUARD", mode)]].concat();
        scenario_with(&environment, async |app| {
            for n in 0..6 {
                let status = app.send_register_code_from(pump, n).await.status;
                let refused = mode == "enforce" && n >= 4;
                assert_eq!(status, if refused { 400 } else { 200 }, "{mode} {n}");
            }
            let decided = |of: &str| counted(app, Metric::FraudDecisions, Some(("Decision", of)));
            for of in ["Observed", "Refused"] {
                let expected = if decision == Some(of) { 2.0 } else { 0.0 };
                assert_eq!(decided(of), expected, "{mode} {of}");
            }
            let logged = app.logged_with("source_hash", pump);
            assert_eq!(
                logged.len(),
                if decision.is_some() { 2 } else { 0 },
                "{mode}"
            );
            for line in logged {
                let reason = "unverified codes beyond the usual; the source answers few";
                assert_eq!(line["reason"], reason, "{line}");
                assert_eq!(line["refused"], mode == "enforce", "{line}");
                assert_eq!(line["region"], "CN", "{line}");
            }
        })
        .await;
    }
}
