//! Limits by source: sends whose codes are unused.

use std::time::Duration;

use serde_json::json;
use shared::{
    dialect::door::ORIGIN_SECRET_HEADER,
    domain::{
        client_address::{Source, SourceLimits},
        phone::Phone,
        slot_key::{SlotKey, Tag},
        window::Limit,
    },
    store::sources::SourceOutcome,
};

use super::front_door::{ORIGIN_SECRET, SECRET};
use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, HOUR, MARY, PATIENT, digits_of,
    fault::{Fault, sns_error},
    message::{PHONE_UNKNOWN, new_number},
    scenario, scenario_with,
};

const ADDRESS: &str = "203.0.113.7";
const OTHER: &str = "203.0.113.8";
const THREE_AN_HOUR: &[(&str, &str)] = &[
    ("SENDS_PER_ADDRESS_HOUR", "3"),
    ("SENDS_PER_ADDRESS_DAY", "5"),
];

#[tokio::test]
async fn an_address_is_limited_by_hour_and_day_with_the_exact_wait() {
    scenario_with(THREE_AN_HOUR, async |app| {
        for n in 0..3 {
            assert_eq!(
                app.send_register_code_from(ADDRESS, n).await.status,
                200,
                "{n}"
            );
        }
        let wait = app
            .send_register_code_from(ADDRESS, 3)
            .await
            .assert_too_frequent();
        assert!((HOUR - 2..=HOUR).contains(&wait), "{wait}");
        assert_eq!(
            app.send_register_code_from(OTHER, 3).await.status,
            200,
            "another address"
        );
        app.wait(wait);
        for n in 4..6 {
            assert_eq!(
                app.send_register_code_from(ADDRESS, n).await.status,
                200,
                "{n}"
            );
        }
        let wait = app
            .send_register_code_from(ADDRESS, 6)
            .await
            .assert_too_frequent();
        assert!(wait > 22 * HOUR, "{wait}");
        app.wait(wait);
        assert_eq!(app.send_register_code_from(ADDRESS, 7).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_default_is_thirty_an_hour() {
    scenario(async |app| {
        for n in 0..30 {
            assert_eq!(
                app.send_register_code_from(ADDRESS, n).await.status,
                200,
                "{n}"
            );
        }
        app.send_register_code_from(ADDRESS, 30)
            .await
            .assert_too_frequent();
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_subscriber_is_one_address() {
    scenario_with(THREE_AN_HOUR, async |app| {
        for n in 0..3 {
            let address = format!("2001:db8:1:2::{n}");
            assert_eq!(
                app.send_register_code_from(&address, n).await.status,
                200,
                "{n}"
            );
        }
        app.send_register_code_from("2001:db8:1:2:ffff::", 3)
            .await
            .assert_too_frequent();
        assert_eq!(
            app.send_register_code_from("2001:db8:1:3::", 3)
                .await
                .status,
            200
        );
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_network_of_256_subscribers_has_four_times_the_limit_of_one() {
    scenario_with(THREE_AN_HOUR, async |app| {
        let mut sent = 0;
        for n in 0..60 {
            let address = format!("2001:db8:1:2{n:02x}::1");
            sent += usize::from(app.send_register_code_from(&address, n).await.status == 200);
        }
        assert_eq!(sent, 12);
        assert_eq!(
            app.send_register_code_from("2001:db8:1:300::", 60)
                .await
                .status,
            200
        );
        app.wait(24 * HOUR);
        sent = 0;
        for n in 100..200 {
            let address = format!("2001:db8:1:2{n:02x}::1");
            sent += usize::from(app.send_register_code_from(&address, n).await.status == 200);
            app.wait(HOUR / 10);
        }
        assert_eq!(sent, 20, "four times five a day");
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_subscriber_that_is_refused_takes_nothing_from_its_neighbours() {
    scenario_with(THREE_AN_HOUR, async |app| {
        for n in 0..40 {
            app.send_register_code_from("2001:db8:1:200::1", n).await;
        }
        assert_eq!(app.inbox().messages().len(), 3);
        for n in 50..110 {
            app.send_register_code_from(&format!("2001:db8:1:2{n:02x}::1"), n)
                .await;
        }
        assert_eq!(app.inbox().messages().len(), 12);
    })
    .await;
}

#[tokio::test]
async fn a_redeemed_code_removes_its_sends_from_the_ipv6_network_too() {
    scenario_with(THREE_AN_HOUR, async |app| {
        for n in 0..30_u32 {
            let (address, phone) = (format!("2001:db8:1:2{n:02x}::1"), format!("138{n:08}"));
            app.create_user(100 + u64::from(n), &format!("user-{n}"), &phone)
                .await;
            let path = "/v1/user/sendLoginMessage";
            let sent = app
                .post_from(&address, path, json!({ "phone": phone }))
                .await;
            assert_eq!(sent.status, 200, "{n}: {sent:?}");
            let body = json!({"phoneInfo": sent.result(), "code": app.last_code(&phone)});
            let path = "/v1/user/loginByMessage";
            assert_eq!(app.post_from(&address, path, body).await.status, 200, "{n}");
        }
    })
    .await;
}

#[tokio::test]
async fn used_codes_of_a_source_count_for_half_as_much_each_week() {
    scenario(async |app| {
        let (store, limits) = (app.store(), per_source());
        let source = Source::of(ADDRESS.parse().unwrap());
        let tag = Tag::of(
            &SlotKey::login(&phone()),
            &app.function_app("login").config.keys,
        );
        let used = async || {
            let now = app.clock.now();
            let counted = store.count_source(&source, tag, now, &limits).await;
            match counted.unwrap() {
                SourceOutcome::Done(history) => history.used,
                SourceOutcome::TooMany { .. } => panic!("refused"),
            }
        };
        let use_one = async || {
            let _ = used().await;
            let now = app.clock.now();
            store
                .forget_redeemed(&source, tag, now, &limits)
                .await
                .unwrap();
        };
        // Two logins every sixth day were 24 after twelve times; now the newest weeks count.
        for _ in 0..12 {
            use_one().await;
            use_one().await;
            app.wait(6 * 24 * HOUR);
        }
        let steady = used().await;
        assert!((2..=5).contains(&steady), "{steady}");
        // Somebody who has used many codes has as many to leave unused, at once.
        for _ in 0..20 {
            use_one().await;
        }
        let busy = used().await;
        assert!((20..=25).contains(&busy), "{busy}");
        app.wait(7 * 24 * HOUR);
        use_one().await;
        let a_week_later = used().await;
        assert!((1..=13).contains(&a_week_later), "{a_week_later}");
        app.wait(7 * 24 * HOUR);
        assert_eq!(used().await, 0, "silent for a week");
    })
    .await;
}

fn per_source() -> SourceLimits {
    let day = Duration::from_secs(24 * HOUR);
    SourceLimits {
        limits: vec![Limit {
            events: 100,
            span: day,
        }],
        refuse: true,
    }
}

fn phone() -> Phone {
    Phone::from_parts("86", ERIC).unwrap()
}

#[tokio::test]
async fn a_redeemed_code_removes_its_sends_and_refusals_from_the_address() {
    scenario_with(THREE_AN_HOUR, async |app| {
        // Ten people behind one address, each of whom requests once too early.
        for n in 0..10_u32 {
            let phone = format!("138{n:08}");
            app.create_user(100 + u64::from(n), &format!("user-{n}"), &phone)
                .await;
            let path = "/v1/user/sendLoginMessage";
            let body = json!({ "phone": phone });
            let sent = app.post_from(ADDRESS, path, body.clone()).await;
            assert_eq!(sent.status, 200, "{n}: {sent:?}");
            app.post_from(ADDRESS, path, body)
                .await
                .assert_too_frequent();
            let code = app.last_code(&phone);
            let body = json!({"phoneInfo": sent.result(), "code": code});
            // The code is redeemed from another address.
            let path = "/v1/user/loginByMessage";
            assert_eq!(app.post_from(OTHER, path, body).await.status, 200, "{n}");
        }
        // A flooder redeems none, and gets three.
        for n in 0..3 {
            assert_eq!(
                app.send_register_code_from(ADDRESS, n).await.status,
                200,
                "{n}"
            );
        }
        app.send_register_code_from(ADDRESS, 3)
            .await
            .assert_too_frequent();
    })
    .await;
}

#[tokio::test]
async fn a_refused_send_counts_too() {
    scenario_with(THREE_AN_HOUR, async |app| {
        for phone in [ANNA, "13900139001", "13900139002"] {
            let path = "/v1/user/sendLoginMessage";
            let unknown = app
                .post_from(ADDRESS, path, json!({ "phone": phone }))
                .await;
            unknown.assert_refused(PHONE_UNKNOWN);
        }
        // Nor does a refusal reveal any more whether a number is known.
        let path = "/v1/user/sendLoginMessage";
        let fourth = app
            .post_from(ADDRESS, path, json!({"phone": "13900139003"}))
            .await;
        fourth.assert_too_frequent();
        let path = "/Systems/sendVerificationCode";
        let body = json!({"username": "nobody", "mobile_phone": "13900139003"});
        let fourth = app.post_from(ADDRESS, path, body).await;
        fourth.assert_b_for_now(8012, "发送过于频繁，请稍后再试:8", HOUR - 2..=HOUR);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_takes_no_code_and_blocks_no_other_way_in() {
    scenario_with(THREE_AN_HOUR, async |app| {
        let path = "/v1/user/sendLoginMessage";
        let sent = app.post_from(ADDRESS, path, json!({ "phone": MARY })).await;
        let code = app.last_code(MARY);
        app.send_register_code_from(ADDRESS, 1).await;
        app.send_register_code_from(ADDRESS, 2).await;
        app.send_register_code_from(ADDRESS, 3)
            .await
            .assert_too_frequent();
        let body = json!({"phoneInfo": sent.result(), "code": code});
        let logged_in = app
            .post_from(ADDRESS, "/v1/user/loginByMessage", body)
            .await;
        assert_eq!(logged_in.status, 200, "{logged_in:?}");
        let body = json!({"value": ERIC, "password": ERIC_PASSWORD});
        let logged_in = app.post_from(ADDRESS, "/v1/user/login", body).await;
        assert_eq!(logged_in.status, 200, "{logged_in:?}");
    })
    .await;
}

#[tokio::test]
async fn a_send_that_failed_on_our_side_does_not_count() {
    scenario_with(THREE_AN_HOUR, async |app| {
        app.sns.break_it(Fault::Refuses);
        for n in 0..5 {
            let failed = app.send_register_code_from(ADDRESS, n).await;
            assert_eq!(failed.status, 500, "{n}: {failed:?}");
        }
        app.sns.mend().await;
        assert_eq!(app.send_register_code_from(ADDRESS, 5).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_send_that_sns_refuses_counts_as_any_other() {
    scenario_with(THREE_AN_HOUR, async |app| {
        let opted_out = json!({ "phone": ERIC });
        let path = "/v1/user/sendLoginMessage";
        app.sns.break_it(sns_error(400, "OptedOut"));
        for n in 0..3 {
            // Neither the phone's cool-down nor its count keeps its owner from asking again at once.
            let refused = app.post_from(ADDRESS, path, opted_out.clone()).await;
            assert_eq!(refused.status, 500, "{n}: {refused:?}");
        }
        let wait = app.post_from(ADDRESS, path, opted_out.clone()).await;
        let wait = wait.assert_too_frequent();
        assert!((HOUR - 2..=HOUR).contains(&wait), "{wait}");
        app.sns.mend().await;
        let elsewhere = app.post_from(OTHER, path, opted_out).await;
        assert_eq!(elsewhere.status, 200, "{elsewhere:?}");
    })
    .await;
}

#[tokio::test]
async fn what_our_own_account_may_not_send_does_not_count() {
    scenario_with(THREE_AN_HOUR, async |app| {
        for ours in [
            sns_error(403, "AuthorizationError"),
            sns_error(400, "Throttled"),
        ] {
            app.sns.break_it(ours);
            for n in 0..3 {
                let failed = app.send_register_code_from(ADDRESS, n).await;
                assert_eq!(failed.status, 500, "{n}: {failed:?}");
            }
            app.sns.mend().await;
        }
        assert_eq!(app.send_register_code_from(ADDRESS, 5).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_address_kept_with_an_account_is_the_clients_and_not_its_proxys() {
    let behind_proxy = [("TRUSTED_PROXIES", "1"), ("ORIGIN_SECRET", ORIGIN_SECRET)];
    scenario_with(&behind_proxy, async |app| {
        let through_proxy = async |path: &str, body: serde_json::Value| {
            let headers = [
                ("content-type", "application/json"),
                ("x-forwarded-for", "198.51.100.9, 2001:db8::7"),
                (ORIGIN_SECRET_HEADER, SECRET),
                (local::gateway::SOURCE_IP_HEADER, ADDRESS),
            ];
            app.post_raw(path, &headers, body.to_string()).await
        };
        let path = "/v1/user/sendRegisterMessage";
        let sent = through_proxy(path, json!({ "phone": ANNA })).await;
        let (ticket, code) = (sent.result(), app.last_code(ANNA));
        let body = json!({"phoneInfo": ticket, "code": code, "name": "anna", "password": "annas-password"});
        let made = through_proxy("/v1/user/register", body).await;
        assert_eq!(made.body["result"]["createIp"], "2001:db8::7", "{made:?}");
    })
    .await;
}

#[tokio::test]
async fn only_declared_proxies_are_trusted() {
    let behind_proxy = [("TRUSTED_PROXIES", "1"), ("ORIGIN_SECRET", ORIGIN_SECRET)];
    let environment = [THREE_AN_HOUR, &behind_proxy].concat();
    scenario_with(&environment, async |app| {
        let through_proxy = async |client: &str, n: u32| {
            let phone = new_number(n);
            let headers = [
                ("content-type", "application/json"),
                ("x-forwarded-for", client),
                (ORIGIN_SECRET_HEADER, SECRET),
                (local::gateway::SOURCE_IP_HEADER, ADDRESS),
            ];
            let body = json!({ "phone": phone }).to_string();
            let path = "/v1/user/sendRegisterMessage";
            app.post_raw(path, &headers, body).await
        };
        for n in 0..3 {
            // The entries before the proxy's own can be forged by the client.
            let claimed = format!("198.51.100.{n}, 192.0.2.1");
            assert_eq!(through_proxy(&claimed, n).await.status, 200, "{n}");
        }
        through_proxy("192.0.2.1", 3).await.assert_too_frequent();
        assert_eq!(through_proxy("192.0.2.2", 3).await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_at_once_from_one_address_get_thirty_codes() {
    scenario_with(&[PATIENT], async |app| {
        let asked = (0..100).map(|n| app.send_register_code_from(ADDRESS, n));
        let answers = futures_util::future::join_all(asked).await;
        let sent = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(sent, 30);
        assert_eq!(app.inbox().messages().len(), 30);
        let code = digits_of(&app.inbox().messages()[0].message);
        assert_eq!(code.len(), 6);
    })
    .await;
}
