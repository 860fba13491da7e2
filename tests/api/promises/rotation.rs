//! A new key ring is deployed while codes and tokens are in use. Those of the old key work until they
//! expire. Later ones are of the new key, and in the end the old key can be removed.
//!
//! CloudFormation updates one function after the other, and may roll back. So functions with the rings
//! before and after each step of a rotation work side by side, and read what the others made.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use local::functions::FUNCTIONS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, MARY, TestApp, eric,
    gotrue::{LOGOUT, TOKEN, number},
    keys::{K1, K1_AND_K2, K1_BESIDE_K2, K2, K2_BESIDE_K1},
    message::CODE_NOT_VALID,
    mobile::MOBILE,
    permissions::has_tables,
    scenario_with,
    systems::WRONG_CODE,
    wrong,
};

const DAY: u64 = 24 * 3600;

/// The key that a token is signed with.
fn key_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn codes_and_tokens_of_the_old_key_work_in_every_dialect() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        let session = app.session_of_eric().await;
        let (login, login_code) = app.login_code(MARY).await;
        let (reset, reset_code) = app.reset_code(ERIC).await;
        let recover_code = app.verification_code("mary", MARY).await;
        let move_code = app.phone_change_code(&session, ANNA).await;
        for token in [&session, &login, &reset] {
            assert_eq!(key_of(token), "k1");
        }

        app.redeploy(&[("KEY_RING", K1_AND_K2)]).await;
        app.wait(299);
        let logged_in = app.log_in(&login, &login_code).await;
        assert_eq!(
            (logged_in.status, key_of(logged_in.token())),
            (200, "k2".to_owned())
        );
        let sure = app.make_sure("mary", &recover_code).await;
        assert_eq!(sure.body["msg"], 2006, "{sure:?}");
        app.change_phone(&session, ANNA, &move_code)
            .await
            .assert_c_success();
        let changed = app
            .reset_password(&reset, &reset_code, "second-password")
            .await;
        // eric has just moved away from the phone that code was for.
        assert_eq!(changed.body["code"], "USER_PHONE_NOT_MATCH");
    })
    .await;
}

#[tokio::test]
async fn codes_and_tokens_of_the_old_key_end_when_they_expire() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        let session = app.session_of_eric().await;
        let (ticket, code) = app.login_code(ERIC).await;
        app.redeploy(&[("KEY_RING", K1_AND_K2)]).await;
        app.wait(300);
        let late = app.log_in(&ticket, &code).await;
        late.assert_refused(CODE_NOT_VALID);

        app.wait(30 * DAY - 300 - 60);
        let fresh = app.info(&session).await.assert_ok_with_token(&eric());
        assert_eq!(key_of(&fresh), "k2");
        app.wait(60);
        app.info(&session).await.assert_invalid_token();

        // All that the old key issued has expired now, and the key is removed.
        app.redeploy(&[("KEY_RING", K2)]).await;
        app.info(&fresh).await.assert_ok_with_token(&eric());
    })
    .await;
}

#[tokio::test]
async fn new_codes_and_tokens_need_only_the_new_key() {
    scenario_with(&[("KEY_RING", K1)], async |app| {
        app.redeploy(&[("KEY_RING", K1_AND_K2)]).await;
        let (ticket, code) = app.login_code(ERIC).await;
        assert_eq!(key_of(&ticket), "k2");
        let session = app.session_of("eric", ERIC_PASSWORD).await;
        assert_eq!(key_of(&session), "k2");
        let move_code = app.phone_change_code(&session, ANNA).await;

        // None of them needs the old key.
        app.redeploy(&[("KEY_RING", K2)]).await;
        assert_eq!(app.log_in(&ticket, &code).await.status, 200);
        let body = json!({"mcode": "+86", "mobile": ANNA, "verify_code": move_code});
        let moved = app.post_in_session(MOBILE, &session, body).await;
        moved.assert_c_success();
    })
    .await;
}

/// The steps of a rotation: the ring that a deployment finds, and the one it brings.
const STEPS: [(&str, &str); 3] = [
    (K1, K1_BESIDE_K2),
    (K1_BESIDE_K2, K2_BESIDE_K1),
    (K2_BESIDE_K1, K2),
];

/// A mixed fleet: the ring that answers a request depends on the run and on the request's number. Over
/// 32 runs, any two of up to 31 requests meet in all four combinations: the number of common bits of
/// two different numbers is even and odd equally often, independently of each other.
struct MixedFleet<'a> {
    app: &'a TestApp,
    run: u32,
    requests: u32,
}

impl<'a> MixedFleet<'a> {
    const RUNS: u32 = 32;

    fn next(&mut self) -> &'a TestApp {
        self.requests += 1;
        assert!(self.requests < Self::RUNS);
        let by_rollout = (self.run & self.requests).count_ones() % 2 == 1;
        self.app.answers_by_rollout(by_rollout);
        self.app
    }
}

/// One account through all flows, each request answered by either ring. No ticket, code, token or session
/// is refused.
async fn live(mut fleet: MixedFleet<'_>) {
    let app = fleet.app;
    let (phone, other) = (
        format!("138001000{:02}", fleet.run),
        format!("139001000{:02}", fleet.run),
    );
    let name = format!("person-{}", fleet.run);
    let (ticket, code) = fleet.next().register_code(&phone).await;
    let registered = fleet.next().register(&ticket, &code, &name, "password-1");
    let session = registered.await.token().to_owned();
    assert_eq!(fleet.next().info(&session).await.status, 200);
    fleet.next().session_of(&name, "password-1").await;

    let (ticket, code) = fleet.next().login_code(&phone).await;
    app.wait(121);
    let resent = fleet.next().send_login_code(&phone).await;
    assert_eq!(app.last_code(&phone), code, "a resend sends the same code");
    let wrong_code = wrong(&code, 0);
    let refused = fleet.next().log_in(resent.result(), &wrong_code).await;
    refused.assert_refused(CODE_NOT_VALID);
    assert_eq!(app.wrong_tries(&format!("login#+86{phone}")).await, "1");
    assert_eq!(fleet.next().log_in(&ticket, &code).await.status, 200);

    let sent = fleet.next().send_change_password_code(&session).await;
    let (ticket, code) = (sent.result(), app.last_code(&phone));
    let changed = fleet
        .next()
        .change_password(&session, ticket, &code, "password-2");
    let session = changed.await.token().to_owned();
    let (ticket, code) = fleet.next().reset_code(&phone).await;
    let reset = fleet.next().reset_password(&ticket, &code, "password-3");
    assert_eq!(reset.await.status, 200);
    fleet.next().info(&session).await.assert_invalid_token();

    app.wait(3600);
    let code = fleet.next().verification_code(&name, &phone).await;
    let sure = fleet.next().make_sure(&name, &code).await;
    let token = app.learn_reset_token(&sure).unwrap();
    let changed = fleet.next().change_passwd(&name, &token, "Wachtwoord4");
    changed.await.assert_b_ok("密码修改成功");

    let session = fleet.next().session_of(&name, "Wachtwoord4").await;
    let code = fleet.next().phone_change_code(&session, &other).await;
    let moved = fleet.next().change_phone(&session, &other, &code);
    moved.await.assert_c_success();
    assert_eq!(fleet.next().info(&session).await.status, 200);

    let changed = fleet
        .next()
        .change_known_password(&session, "Wachtwoord4", "password-5");
    let session = changed.await.token().to_owned();
    let (second, third) = (format!("{name}-a"), format!("{name}-b"));
    let renamed = fleet.next().change_name(&session, &second);
    let session = renamed.await.token().to_owned();
    let new_name = json!({ "name": third });
    let renamed = fleet
        .next()
        .post_in_session("/v1/user/changeNameAndGet", &session, new_name);
    let session = renamed.await.token().to_owned();
    assert_eq!(fleet.next().info(&session).await.status, 200);
    let session = fleet.next().session_of(&third, "password-5").await;
    let token = fleet.next().access_token(&session).await;
    let verdict = fleet.next().verdict_on(&format!("Bearer {token}")).await;
    assert_eq!(verdict["isAuthorized"], true);
    assert_eq!(fleet.next().log_out(&session).await.status, 200);
    fleet.next().info(&session).await.assert_invalid_token();
    live_in_dialect_d(fleet).await;
}

/// The same in dialect D. These requests meet in other combinations with those before.
async fn live_in_dialect_d(fleet: MixedFleet<'_>) {
    let mut fleet = MixedFleet {
        requests: 0,
        ..fleet
    };
    let phone = number(500 + fleet.run);
    let code = fleet.next().otp_code(&phone).await;
    let session = fleet.next().verify(&phone, &code).await.body;
    let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
    let (first, access) = (
        text(&session, "refresh_token"),
        text(&session, "access_token"),
    );
    let second = fleet.next().refresh(&first).await.body;
    // The answer was lost, and another function makes it again.
    let again = fleet.next().refresh(&first).await.body;
    let third = fleet.next().refresh(&text(&again, "refresh_token")).await;
    assert_eq!(third.status, 200, "{third:?}");
    let fourth = fleet.next().refresh(&text(&second, "refresh_token")).await;
    assert_eq!(fourth.status, 200, "{fourth:?}");
    assert_eq!(fleet.next().user(&access).await.status, 200);
    fleet.app.wait(DAY);
    let fifth = fleet
        .next()
        .refresh(&text(&fourth.body, "refresh_token"))
        .await;
    let access = text(&fifth.body, "access_token");
    let nonce = fleet.next().nonce(&access, &phone).await;
    let new = json!({"password": "password-1", "nonce": nonce});
    let changed = fleet.next().update_user(&access, new).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let by_password = json!({"phone": phone, "password": "password-1"});
    let path = format!("{TOKEN}?grant_type=password");
    let by_password = fleet.next().sdk_post(&path, by_password).await;
    assert_eq!(by_password.status, 200, "{by_password:?}");
    fleet.next().otp_code(&phone).await;
    fleet.app.wait(60);
    let again = fleet.next().resend("sms", &phone).await;
    assert_eq!(again.status, 200, "{again:?}");
    let code = fleet.app.last_code(&phone[2..]);
    let known = fleet.next().verify(&phone, &code).await;
    assert_eq!(known.status, 200, "{known:?}");
    let new = number(700 + fleet.run);
    let asked = fleet.next().update_user(&access, json!({"phone": new}));
    let asked = asked.await;
    assert_eq!(asked.status, 200, "{asked:?}");
    fleet.app.wait(60);
    let again = fleet.next().resend("phone_change", &new).await;
    assert_eq!(again.status, 200, "{again:?}");
    let code = fleet.app.last_code(&new[2..]);
    let moved = fleet.next().verify_move(&access, &new, &code).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let out = fleet.next().sdk(Method::POST, LOGOUT, &access, "").await;
    assert_eq!(out.status, 204, "{out:?}");

    let session = fleet.next().session_of(&new[2..], "password-1").await;
    let (ticket, code) = fleet.next().delete_code(&session, &new[2..]).await;
    let deleted = fleet.next().delete(&session, &ticket, &code).await;
    deleted.assert_ok(&json!(true));
    fleet.app.wait(60);
    let code = fleet.next().otp_code(&new).await;
    let next = fleet.next().verify(&new, &code).await.body;
    let access = text(&next, "access_token");
    let nonce = fleet.next().deletion_nonce(&access, &new).await;
    let body = json!({ "nonce": nonce });
    let deleted = fleet.next().delete_user(&access, body).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
}

async fn assert_mixed_fleet_refuses_nothing((before, after): (&str, &str)) {
    scenario_with(&[("KEY_RING", before)], async |app| {
        app.roll_out(&[("KEY_RING", after)]).await;
        for run in 0..MixedFleet::RUNS {
            let requests = 0;
            live(MixedFleet { app, run, requests }).await;
        }
        let (store, sms) = app.calls();
        let callers: BTreeSet<String> = store.into_iter().chain(sms).map(|c| c.caller).collect();
        let all = FUNCTIONS.iter().map(|function| function.name());
        let all: BTreeSet<String> = all.filter(|name| has_tables(name)).collect();
        let absent: Vec<_> = all.difference(&callers).collect();
        assert!(absent.is_empty(), "functions that take no part: {absent:?}");
    })
    .await;
}

#[tokio::test]
async fn while_a_key_is_added_functions_with_either_ring_read_what_the_others_made() {
    assert_mixed_fleet_refuses_nothing(STEPS[0]).await;
}

#[tokio::test]
async fn while_a_key_is_activated_functions_with_either_ring_read_what_the_others_made() {
    assert_mixed_fleet_refuses_nothing(STEPS[1]).await;
}

#[tokio::test]
async fn while_a_key_is_dropped_functions_with_either_ring_read_what_the_others_made() {
    assert_mixed_fleet_refuses_nothing(STEPS[2]).await;
}

#[tokio::test]
async fn in_a_mixed_fleet_nobody_stays_nobody() {
    for (before, after) in STEPS {
        let environment = [("KEY_RING", before), ("HIDE_UNKNOWN_USERS", "true")];
        scenario_with(&environment, async |app| {
            app.roll_out(&[("KEY_RING", after)]).await;
            // A decoy's ticket is read by all, and its code is wrong for all.
            for (sends, redeems) in [(false, true), (true, false)] {
                app.answers_by_rollout(sends);
                let sent = app.send_login_code(ANNA).await;
                app.answers_by_rollout(redeems);
                let refused = app.log_in(sent.result(), "123456").await;
                refused.assert_refused(CODE_NOT_VALID);
                app.answers_by_rollout(sends);
                let sent = app.send_reset_code(ANNA).await;
                app.answers_by_rollout(redeems);
                let refused = app.reset_password(sent.result(), "123456", "password-1");
                refused.await.assert_refused(CODE_NOT_VALID);
                app.answers_by_rollout(sends);
                let sent = app.send_verification_code("nobody", ANNA).await;
                sent.assert_b_ok("已发送短信");
                app.answers_by_rollout(redeems);
                let refused = app.make_sure("nobody", "123456").await;
                refused.assert_b(WRONG_CODE.0, WRONG_CODE.1);
                app.wait(121);
            }
            // The pseudonyms' key is the last to go, and then nobody's counts begin anew.
            let is_dropped = after == K2;
            // Ten wrong passwords of a name that nobody has, whoever counts them.
            if !is_dropped {
                for n in 0..11 {
                    app.answers_by_rollout(n % 2 == 1);
                    let refused = app.log_in_with_password("nobody", "a-password").await;
                    assert_eq!(refused.retry_after().is_some(), n == 10, "{n}");
                }
            }
        })
        .await;
    }
}
