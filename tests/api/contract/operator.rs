//! The operators' functions: `admin-read`, `admin-support`, `admin-data`.

use serde_json::{Value, json};

use crate::support::{
    ANNA, ERIC, ERIC_PASSWORD, MARY, TestApp, ZOE, eric,
    gotrue::OTP,
    message::{LOGIN_FAILED, NOT_SENT, USER_NOT_FOUND, new_number},
    scenario, scenario_with, wrong,
};

const READ: &str = "admin-read";
const SUPPORT: &str = "admin-support";
const DATA: &str = "admin-data";

fn phone_of_eric() -> Value {
    json!({"phone": format!("+86{ERIC}")})
}

#[tokio::test]
async fn an_account_is_found_by_phone_name_and_number() {
    scenario(async |app| {
        app.session_of_eric_at_home().await;
        let found = json!({
            "done": true, "uuid": 5, "id": app.operate(READ, json!({"find": {"uuid": 5}})).await["id"],
            "name": "eric", "phone": "+86 *********01", "status": 0,
            "createdAt": 1_532_526_039_883_u64, "hasPassword": true, "passwordSetAt": null,
            "movedAt": null, "sessions": 1, "knownAddresses": 1,
        });
        for named in [phone_of_eric(), json!({"name": "ERIC"}), json!({"uuid": 5})] {
            assert_eq!(app.operate(READ, json!({ "find": named })).await, found);
        }
        for nobody in [
            json!({"phone": format!("+86{ANNA}")}),
            json!({"phone": "+33612345678"}),
            json!({"name": "nobody"}),
            json!({"uuid": 12}),
        ] {
            let said = app.operate(READ, json!({ "find": nobody })).await;
            assert_eq!(said, json!({"done": false, "why": "no such account"}));
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_an_invocation_is_said() {
    scenario(async |app| {
        let one = "phone, name, uuid: one of them";
        for (function, event, why) in [
            (READ, json!({"find": {}}), one),
            (READ, json!({"find": {"uuid": 5, "name": "eric"}}), one),
            (
                READ,
                json!({"find": {"phone": "13800138001"}}),
                "phone: a mobile number with its country code",
            ),
            (READ, json!({"find": {"name": ""}}), "name: not a name"),
            (DATA, json!({"delete": {}}), one),
            (SUPPORT, json!({"end-sessions": {}}), one),
            (SUPPORT, json!({"unblock": {}}), one),
            (
                SUPPORT,
                json!({"unblock": {"uuid": 5, "address": "192.0.2.1"}}),
                "phone, name, uuid, address: one of them",
            ),
            (
                SUPPORT,
                json!({"unblock": {"phone": "+1", "address": "192.0.2.1"}}),
                "phone, name, uuid, address: one of them",
            ),
            (
                SUPPORT,
                json!({"stop": {"countries": ["86", "Atlantis"]}}),
                "countries: a name that means no country, or none",
            ),
            (
                SUPPORT,
                json!({"stop": {"countries": []}}),
                "countries: a name that means no country, or none",
            ),
        ] {
            let said = app.operate(function, event.clone()).await;
            assert_eq!(said, json!({"done": false, "why": why}), "{event}");
        }
        for (function, event) in [
            (READ, json!({"delete": {"uuid": 5}})),
            (SUPPORT, json!({"unblock": {"uuid": 5}, "stop": {}})),
            (DATA, json!({"delete": {"uuid": "5"}})),
            (DATA, json!({"delete": {"uid": 5}})),
        ] {
            assert!(
                app.try_operate(function, event.clone()).await.is_err(),
                "{event}"
            );
        }
        assert_eq!(app.user_item(5).await["status"].as_n().unwrap(), "0");
    })
    .await;
}

/// Has eric blocked in every way, by strangers and in his own session.
async fn block_eric(app: &TestApp, session: &str) {
    let (ticket, code) = app.login_code(ERIC).await;
    for n in 0..5 {
        app.log_in(&ticket, &wrong(&code, n)).await;
    }
    app.send_reset_code(ERIC).await;
    app.send_verification_code("eric", ERIC).await;
    app.sdk_post(OTP, json!({"phone": format!("86{ERIC}")}))
        .await;
    app.send_change_password_code(session).await;
    app.send_delete_code(session).await;
    app.send_phone_change_code(session, ANNA).await;
    for n in 0..11 {
        app.log_in_with_password("eric", &format!("wrong-password-{n}"))
            .await;
        app.change_known_password(session, &format!("wrong-password-{n}"), "second-password")
            .await;
    }
}

/// "I get no codes": a support call.
#[tokio::test]
async fn whoever_is_blocked_is_unblocked_wholly_and_others_stay_as_they_are() {
    for hidden in ["false", "true"] {
        scenario_with(&[("HIDE_UNKNOWN_USERS", hidden)], async |app| {
            let session = app.session_of_eric_at_home().await;
            block_eric(app, &session).await;
            app.send_login_code(MARY).await;
            app.send_login_code(ERIC).await.assert_too_frequent();
            let login = app.log_in_with_password("eric", ERIC_PASSWORD).await;
            login.assert_refused(LOGIN_FAILED);

            let said = app
                .operate(SUPPORT, json!({"unblock": phone_of_eric()}))
                .await;
            assert_eq!(said["done"], json!(true));
            let left = app.items_with(&[""]).await;
            let kinds = [
                "user#",
                "phone#",
                "name#",
                "spend#",
                "source#",
                "attempts-from#",
            ];
            let of_others = [MARY, ANNA];
            let left: Vec<&String> = left.iter().map(|(pk, _)| pk).collect();
            let of_eric: Vec<_> = left
                .into_iter()
                .filter(|pk| !kinds.iter().any(|kind| pk.starts_with(kind)))
                .filter(|pk| !of_others.iter().any(|phone| pk.contains(phone)))
                .collect();
            assert!(of_eric.is_empty(), "hidden: {hidden}: {of_eric:?}");
            let move_to = format!("change-phone#5#+86{ANNA}");
            assert!(app.code_item(&move_to).await.contains_key("pk"));
            let at_new = json!({"uuid": 5, "phone": format!("+86{ANNA}")});
            app.operate(SUPPORT, json!({"unblock": at_new})).await;
            assert!(app.items_with(&[ANNA]).await.is_empty());
            app.send_login_code(MARY).await.assert_too_frequent();

            let (ticket, code) = app.login_code(ERIC).await;
            app.log_in(&ticket, &code)
                .await
                .assert_ok_with_token(&eric());
            app.session_of_eric().await;
            let again = app.operate(SUPPORT, json!({"unblock": {"uuid": 5}})).await;
            assert_eq!(again["done"], json!(true));
            let again = app
                .operate(SUPPORT, json!({"unblock": {"name": "eric"}}))
                .await;
            assert_eq!(again["forgotten"], json!(0));
        })
        .await;
    }
}

#[tokio::test]
async fn what_counts_against_somebody_is_explained_as_it_is_refused() {
    let of_address = [
        ("SENDS_PER_ADDRESS_DAY", "9"),
        ("SENDS_PER_ADDRESS_HOUR", "2"),
    ];
    scenario_with(&of_address, async |app| {
        app.clock.stop();
        let now = app.clock.now().0;
        let explain = json!({"explain": {"phone": format!("+86{ERIC}"), "address": "192.0.2.1"}});
        let nothing = app.operate(READ, explain.clone()).await;
        assert_eq!(
            nothing,
            json!({"done": true, "uuid": 5, "asks": "strangers", "codes": [], "limits": []})
        );

        let login = json!({"phone": ERIC});
        let path = "/v1/user/sendLoginMessage";
        let sent = app.post_from("192.0.2.1", path, login.clone()).await;
        let code = app.last_code(ERIC);
        for n in 0..2 {
            app.log_in(sent.result(), &wrong(&code, n)).await;
        }
        app.log_in_with_password("eric", "a-wrong-password").await;
        let refused = app.post_from("192.0.2.1", path, login.clone()).await;
        refused.assert_too_frequent();
        let explained = app.operate(READ, explain.clone()).await;
        let seconds = |n: u64| now + n * 1000;
        let code = |by: &str, cooling: Value, tries: u32| {
            json!({
                "purpose": "login", "by": by, "coolingUntil": cooling,
                "validUntil": seconds(300), "triesLeft": tries, "refusedUntil": null,
            })
        };
        let of_strangers = code("strangers", json!(seconds(120)), 3);
        // A session may try the code, too, and has tries of its own.
        let of_sessions = code("sessions", json!(null), 5);
        assert_eq!(explained["codes"], json!([of_strangers, of_sessions]));
        // As the answer says it.
        assert_eq!(refused.retry_after(), Some(120));
        let (hour, day) = (3600, 24 * 3600);
        let counted = |what: &str, by: Value, count: u64, of: u64, span: u64, until: Value| {
            json!({"what": what, "by": by, "count": count, "of": of, "in": span, "refusedUntil": until})
        };
        let strangers = json!("strangers");
        let mut limits = explained["limits"].as_array().unwrap().clone();
        for expected in [
            counted("messages", strangers.clone(), 1, 5, hour, json!(null)),
            counted("messages", strangers.clone(), 1, 10, day, json!(null)),
            counted("wrong codes", strangers.clone(), 2, 10, day, json!(null)),
            counted("wrong passwords", strangers.clone(), 1, 10, day, json!(null)),
            counted("unused sends of the address", json!(null), 2, 2, hour, json!(seconds(hour))),
            counted("unused sends of the address", json!(null), 2, 9, day, json!(null)),
        ] {
            let at = limits.iter().position(|limit| *limit == expected);
            limits.remove(at.unwrap_or_else(|| panic!("{expected} of {explained}")));
        }
        assert!(limits.is_empty(), "{limits:?}");

        // Ten wrong codes refuse sends and codes for a day from the first.
        app.wait(hour);
        for _ in 0..2 {
            app.wait(121);
            let (ticket, code) = app.login_code(ERIC).await;
            for n in 0..5 {
                app.log_in(&ticket, &wrong(&code, n)).await;
            }
        }
        app.wait(121);
        let refused = app.send_login_code(ERIC).await;
        refused.assert_too_frequent();
        let explained = app.operate(READ, explain).await;
        let until = explained["codes"][0]["refusedUntil"].as_u64().unwrap();
        let wait = (until - app.clock.now().0).div_ceil(1000);
        assert_eq!(refused.retry_after(), Some(wait));
        // A session of eric's is another client.
        app.session_of_eric().await;
    })
    .await;
}

#[tokio::test]
async fn an_address_is_unblocked() {
    let limits = [
        ("SENDS_PER_ADDRESS_DAY", "3"),
        ("SENDS_PER_ADDRESS_HOUR", "3"),
    ];
    scenario_with(&limits, async |app| {
        for address in ["192.0.2.1", "2001:db8::1"] {
            for n in 0..3 {
                let sent = app.send_register_code_from(address, n).await;
                sent.assert_ok(&json!(sent.result()));
            }
            let refused = app.send_register_code_from(address, 3).await;
            refused.assert_too_frequent();
            let unblock = json!({"unblock": {"address": address}});
            let said = app.operate(SUPPORT, unblock).await;
            assert_eq!(said["done"], json!(true));
            let sent = app.send_register_code_from(address, 4).await;
            sent.assert_ok(&json!(sent.result()));
            app.wait(24 * 3600);
        }
    })
    .await;
}

#[tokio::test]
async fn sends_stop_and_go_on() {
    scenario(async |app| {
        for (stop, stopped, is_stopped) in [
            (json!({}), json!(null), true),
            (
                json!({"countries": ["CN", "1", "1"]}),
                json!(["1", "CN"]),
                true,
            ),
            (json!({"countries": ["1"]}), json!(["1"]), false),
        ] {
            let said = app.operate(SUPPORT, json!({"stop": stop})).await;
            assert_eq!(said, json!({"done": true, "stopped": stopped}));
            let sent = app.send_login_code(ERIC).await;
            match is_stopped {
                true => sent.assert_refused(NOT_SENT),
                false => sent.assert_ok(&json!(sent.result())),
            }
            let said = app.operate(SUPPORT, json!({"resume": {}})).await;
            assert_eq!(said, json!({"done": true, "wereStopped": true}));
        }
        let said = app.operate(SUPPORT, json!({"resume": {}})).await;
        assert_eq!(said, json!({"done": true, "wereStopped": false}));
        app.send_login_code(MARY).await;
    })
    .await;
}

#[tokio::test]
async fn an_account_is_disabled_and_enabled_and_its_sessions_are_ended() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        let said = app
            .operate(SUPPORT, json!({"end-sessions": phone_of_eric()}))
            .await;
        assert_eq!(said, json!({"done": true, "uuid": 5}));
        app.info(&session).await.assert_invalid_token();

        let session = app.session_of_eric().await;
        let said = app
            .operate(DATA, json!({"disable": {"name": "eric"}}))
            .await;
        assert_eq!(said, json!({"done": true, "uuid": 5}));
        let refused = app.log_in_with_password("eric", ERIC_PASSWORD).await;
        refused.assert_refused(LOGIN_FAILED);
        let said = app.operate(DATA, json!({"enable": {"uuid": 5}})).await;
        assert_eq!(said, json!({"done": true, "uuid": 5}));
        // The sessions from before stay over.
        app.info(&session).await.assert_invalid_token();
        app.session_of_eric().await;
    })
    .await;
}

#[tokio::test]
async fn an_operator_deletes_any_account_once() {
    scenario(async |app| {
        let session = app.session_of_eric().await;
        app.operate(DATA, json!({"disable": {"uuid": 5}})).await;
        // What an operator has put out of joint by hand is no obstacle.
        for attribute in ["country", "phone"] {
            app.operator_removes(5, attribute).await;
        }
        let said = app.operate(DATA, json!({"delete": {"uuid": 5}})).await;
        assert_eq!(said, json!({"done": true, "uuid": 5}));
        let without_phone = json!([{"name": "heidi", "uuid": 50}]);
        app.import(without_phone).await;
        let said = app
            .operate(DATA, json!({"delete": {"name": "heidi"}}))
            .await;
        assert_eq!(said, json!({"done": true, "uuid": 50}));
        let left = app.items_with(&["heidi"]).await;
        assert!(left.is_empty(), "{left:?}");
        app.info(&session).await.assert_refused(USER_NOT_FOUND);
        let attributes: Vec<String> = app.user_item(5).await.into_keys().collect();
        assert_eq!(attributes, ["deleted_ms", "pk"]);
        let none = json!({"done": false, "why": "no such account"});
        for event in ["delete", "disable", "enable"] {
            let said = app.operate(DATA, json!({event: {"uuid": 5}})).await;
            assert_eq!(said, none, "{event}");
        }
        assert_eq!(
            app.operate(DATA, json!({"export": {"uuid": 5}})).await,
            none
        );
    })
    .await;
}

#[tokio::test]
async fn an_export_has_all_that_is_stored_and_nothing_secret() {
    scenario(async |app| {
        let session = app.session_of_eric_at_home().await;
        let from_elsewhere = json!({"phone": ERIC});
        let sent = app
            .post_from("198.51.100.77", "/v1/user/sendLoginMessage", from_elsewhere)
            .await;
        app.log_in(sent.result(), &wrong(&app.last_code(ERIC), 0))
            .await;
        app.log_in_with_password("eric", "a-wrong-password").await;
        app.send_change_password_code(&session).await;

        let export = app.operate(DATA, json!({"export": phone_of_eric()})).await;
        let account = &export["account"];
        assert_eq!(account["phone"], json!(format!("+86{ERIC}")));
        assert_eq!(account["createdFrom"], json!("::ffff:123.59.101.208"));
        assert_eq!(account["sessions"].as_array().unwrap().len(), 1);
        let has = |list: &str, field: &str, value: &str| {
            let all = export[list].as_array().unwrap();
            assert!(
                all.iter().any(|it| it[field] == value),
                "{list} {value}: {export}"
            );
        };
        has("codes", "purpose", "login");
        has("codes", "purpose", "change-password");
        for what in ["messages", "wrong codes", "wrong passwords"] {
            has("counts", "what", what);
        }
        let printed = export.to_string();
        let hash = app.stored_hash(5).await;
        let slot = app.code_item(&format!("login#+86{ERIC}")).await;
        let challenge = slot["challenge"].as_m().unwrap();
        let of_challenge = ["nonce", "id"].map(|name| challenge[name].as_s().unwrap().as_str());
        let others = [hash.as_str(), "198.51.100.77"];
        for secret in others.into_iter().chain(of_challenge) {
            assert!(!printed.contains(secret), "{secret}: {printed}");
        }
        // A phone without an account has its codes alone.
        app.send_register_code(ANNA).await;
        let event = json!({"export": {"phone": format!("+86{ANNA}")}});
        let export = app.operate(DATA, event).await;
        assert_eq!(
            (&export["done"], &export["account"]),
            (&json!(true), &json!(null))
        );
        assert_eq!(export["codes"][0]["purpose"], json!("register"));
    })
    .await;
}

#[tokio::test]
async fn a_restored_backup_has_its_sessions_ended_and_its_deletions_done_again() {
    scenario(async |app| {
        let [eric, zoe] = [app.session_of_eric().await, app.session_of_zoe().await];
        // A part at a time: the deletions come last.
        let (mut next, mut ended, mut parts) = (json!(null), 0, 0);
        let last = loop {
            let part = json!({"deleted": [7, 99], "next": next, "most": 1});
            let said = app.operate(DATA, json!({"after-restore": part})).await;
            ended += said["sessionsEnded"].as_u64().unwrap();
            parts += 1;
            next = said["next"].clone();
            if next.is_null() {
                break said;
            }
            assert_eq!(said["deleted"], json!(0));
        };
        assert_eq!((ended, parts > 2), (2, true));
        assert_eq!((&last["deleted"], &last["failed"]), (&json!(1), &json!([])));
        let event = json!({"after-restore": {"deleted": [7, 99]}});
        app.info(&eric).await.assert_invalid_token();
        app.info(&zoe).await.assert_refused(USER_NOT_FOUND);
        // An account that was made and deleted since the backup leaves a tombstone, too.
        for uuid in [7, 99] {
            let back = json!([{"name": "back", "uuid": uuid, "countryCode": "86", "phone": ZOE}]);
            let report = app.import(back).await;
            assert_eq!(report["users"][0]["why"], json!("uuid taken"));
        }
        let said = app.operate(DATA, event).await;
        let nothing = json!({
            "done": true, "deleted": 0, "failed": [], "sessionsEnded": 0, "next": null,
        });
        assert_eq!(said, nothing);
    })
    .await;
}

/// What an address has redeemed speaks for it, also after it is unblocked.
#[tokio::test]
async fn an_address_that_is_unblocked_keeps_its_credit() {
    scenario(async |app| {
        let sent = app.send_register_code_from("192.0.2.1", 1).await;
        let code = app.last_code(&new_number(1));
        let registered = app.register(sent.result(), &code, "frank", "frank-password");
        assert_eq!(registered.await.status, 200);
        app.send_register_code_from("192.0.2.1", 2).await;
        let of_source = async || {
            let item = app.code_item("source#192.0.2.1").await;
            let number = |name: &str| item.get(name).map(|n| n.as_n().unwrap().clone());
            (number("verified"), number("s0"))
        };
        let (credit, unused) = of_source().await;
        assert_eq!(credit.as_deref(), Some("1"));
        assert_ne!(unused.as_deref(), Some("0"));
        let unblock = json!({"unblock": {"address": "192.0.2.1"}});
        app.operate(SUPPORT, unblock).await;
        let (credit, unused) = of_source().await;
        assert_eq!(credit.as_deref(), Some("1"));
        assert!(unused.is_none_or(|mark| mark == "0"));
    })
    .await;
}

#[tokio::test]
async fn each_use_is_a_line_of_the_log_and_so_is_each_deletion() {
    scenario(async |app| {
        for (function, event) in [
            (READ, json!({"find": {"uuid": 5}})),
            (READ, json!({"explain": {"uuid": 5}})),
            (SUPPORT, json!({"unblock": phone_of_eric()})),
            (SUPPORT, json!({"end-sessions": {"uuid": 5}})),
            (DATA, json!({"export": {"uuid": 5}})),
            (DATA, json!({"disable": {"uuid": 5}})),
            (DATA, json!({"enable": {"uuid": 5}})),
            (DATA, json!({"delete": {"uuid": 5}})),
        ] {
            let (action, _) = event.as_object().unwrap().iter().next().unwrap();
            app.operate(function, event.clone()).await;
            let lines = app.log_lines();
            let line = lines.iter().find(|line| line["action"] == action.as_str());
            let line = line.unwrap_or_else(|| panic!("{action}: {lines:?}"));
            let said = (
                &line["message"],
                &line["done"],
                &line["uid"],
                &line["function"],
            );
            assert_eq!(
                said,
                (
                    &json!("operator"),
                    &json!(true),
                    &json!(5),
                    &json!(function)
                )
            );
            assert!(line["request_id"].is_string(), "{line}");
        }
        let zoe = app.session_of_zoe().await;
        let (ticket, code) = app.delete_code(&zoe, ZOE).await;
        app.delete(&zoe, &ticket, &code).await;
        for uid in [5, 7] {
            let deleted =
                |line: &&Value| line["message"] == "account deleted" && line["uid"] == uid;
            let lines = app.log_lines();
            assert_eq!(lines.iter().filter(deleted).count(), 1, "{uid}: {lines:?}");
        }
    })
    .await;
}
