//! The operator's switch: one item in the codes table stops sends at once, and until it is deleted.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::json;
use shared::telemetry::metrics::Metric;

use crate::support::{
    ANNA, ERIC, MARY, TestApp,
    gotrue::{OTP, REAUTHENTICATE, number},
    message::NOT_SENT,
    metrics::counted,
    scenario, scenario_with,
};

async fn stop(app: &TestApp, countries: Option<AttributeValue>) {
    let put = app.tables().put_item().table_name(app.table("codes"));
    let put = put.item("pk", AttributeValue::S("control#stop".to_owned()));
    let put = match countries {
        Some(countries) => put.item("countries", countries),
        None => put,
    };
    put.send().await.unwrap();
}

async fn go_on(app: &TestApp) {
    let delete = app.tables().delete_item().table_name(app.table("codes"));
    let key = AttributeValue::S("control#stop".to_owned());
    delete.key("pk", key).send().await.unwrap();
}

fn names(names: &[&str]) -> Option<AttributeValue> {
    let names = names.iter().map(|name| (*name).to_owned());
    Some(AttributeValue::Ss(names.collect()))
}

fn stopped(app: &TestApp) -> f64 {
    counted(app, Metric::StoppedSends, None)
}

#[tokio::test]
async fn every_send_stops_at_once_outlives_a_deployment_and_goes_on_when_the_item_is_deleted() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let other = &number(1);
        let signed_in = app.signed_in(other).await;
        let access = signed_in["access_token"].as_str().unwrap();
        app.wait(60);
        app.otp_code(other).await;
        app.wait(60);
        let messages = app.inbox().messages().len();
        stop(app, None).await;
        for round in 0..2 {
            app.send_login_code(ERIC).await.assert_refused(NOT_SENT);
            app.send_register_code(ANNA).await.assert_refused(NOT_SENT);
            let in_session = app.send_change_password_code(&session).await;
            assert_eq!(in_session.body["code"], "SEND_MESSAGE_ERROR");
            app.send_reset_code(MARY).await.assert_refused(NOT_SENT);
            let systems = app.send_verification_code("mary", MARY).await;
            systems.assert_b(8010, "短信未开通");
            let mobile = app.send_phone_change_code(&session, ANNA).await;
            mobile.assert_c(json!(400_198), "login interface config not found");
            let phone = json!({ "phone": number(2) });
            for sent in [
                app.sdk_post(OTP, phone.clone()).await,
                app.resend("sms", other).await,
                app.sdk(Method::GET, REAUTHENTICATE, access, "").await,
                app.update_user(access, phone).await,
            ] {
                sent.assert_d(400, "phone_provider_disabled", "Unsupported phone provider");
            }
            assert_eq!(stopped(app), 10.0 * f64::from(round + 1));
            app.redeploy(&[]).await;
        }
        assert_eq!(app.inbox().messages().len(), messages);
        for slot in ["login#+8613800138001", "sends#+8613800138001"] {
            assert!(app.code_item(slot).await.is_empty(), "{slot}");
        }
        // A session is read before the switch: without one, the refusal is about the session.
        app.send_change_password_code("no-token")
            .await
            .assert_invalid_token();
        go_on(app).await;
        app.login_code(ERIC).await;
        app.phone_change_code(&session, ANNA).await;
    })
    .await;
}

#[tokio::test]
async fn single_countries_stop_by_calling_code_iso_code_or_area_code() {
    let environment = [
        ("ALLOWED_COUNTRY_CODES", "86,1,JM"),
        ("SMS_PRICES_USD", r#"{"JM":0.1}"#),
    ];
    scenario_with(&environment, async |app| {
        let mut n = 0;
        let mut sent = async |app: &TestApp| {
            n += 1;
            let mut sent = Vec::new();
            for (country, phone) in [
                ("86", format!("138001390{n:02}")),
                ("1", format!("20155501{n:02}")),
                ("1", format!("87630100{n:02}")),
            ] {
                let body = json!({"countryCode": country, "phone": phone});
                let answer = app.post("/v1/user/sendRegisterMessage", body).await;
                sent.push(answer.status == 200);
            }
            sent
        };
        assert_eq!(sent(app).await, [true, true, true]);
        for (stopped, goes_on) in [
            (names(&["86"]), [false, true, true]),
            (names(&["1"]), [true, false, true]),
            (names(&["US", "CN"]), [false, false, true]),
            (names(&["1876"]), [true, true, false]),
            (names(&["JM", "1"]), [true, false, false]),
            // What cannot be read stops all.
            (names(&["Jamaica"]), [false, false, false]),
            (Some(AttributeValue::S("86".into())), [false, false, false]),
        ] {
            stop(app, stopped.clone()).await;
            assert_eq!(sent(app).await, goes_on, "{stopped:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stopped_request_does_not_count_against_its_address() {
    let one_an_hour = [("SENDS_PER_ADDRESS_HOUR", "1")];
    scenario_with(&one_an_hour, async |app| {
        let ask = async || {
            let body = json!({ "phone": ERIC });
            app.post_from("203.0.113.5", "/v1/user/sendLoginMessage", body)
                .await
        };
        stop(app, None).await;
        for _ in 0..3 {
            ask().await.assert_refused(NOT_SENT);
        }
        go_on(app).await;
        assert_eq!(ask().await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_stopped_notice_is_not_sent_and_the_move_is_made() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let code = app.phone_change_code(&session, ANNA).await;
        stop(app, names(&["86"])).await;
        app.change_phone(&session, ANNA, &code)
            .await
            .assert_c_success();
        assert!(app.texts(ERIC).is_empty(), "no notice");
        assert_eq!(stopped(app), 1.0);
    })
    .await;
}

#[tokio::test]
async fn hidden_users_are_stopped_alike() {
    scenario_with(&[("HIDE_UNKNOWN_USERS", "true")], async |app| {
        stop(app, None).await;
        for phone in [ERIC, ANNA] {
            app.send_login_code(phone).await.assert_refused(NOT_SENT);
        }
    })
    .await;
}
