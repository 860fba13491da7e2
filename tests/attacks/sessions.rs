//! A session in a thief's hands, and two devices at once.

use futures_util::future::join;
use serde_json::json;
use shared::{domain::phone::Phone, store::Key};

use crate::{
    outcome::Outcome,
    world::{Answer, DAY, World, address},
};

/// A stolen session that is used every day, and one that is kept for later.
pub async fn stolen() -> Vec<Outcome> {
    let world = World::start(&[]).await;
    world.user(5, "13800138001").await;
    let used = world.session("192.0.2.1", "13800138001").await;
    world.wait(120);
    let kept = world.session("192.0.2.1", "13800138001").await;
    let info = async |token: &str| {
        let path = "/v1/user/info";
        world
            .post_in_session("192.0.2.66", token, path, json!({}))
            .await
    };
    let (mut token, mut days) = (used, 0);
    let mut of_kept = None;
    while days < 365 {
        world.wait(DAY);
        let answer = info(&token).await;
        if !answer.is_ok() {
            break;
        }
        days += 1;
        token = token_in(&answer).unwrap_or(token);
        if days == 30 {
            of_kept = Some(info(&kept).await.is_ok());
        }
    }
    vec![Outcome::new(
        "a stolen session, used every day",
        "180 days in all, and 30 without use",
        days == 179 && of_kept == Some(false),
        format!("good for {days} days and not for another; unused, not after 30"),
    )]
}

fn token_in(answer: &Answer) -> Option<String> {
    answer.body["token"].as_str().map(str::to_owned)
}

/// Two devices of an account without a phone give it one, at once.
pub async fn moving_twice_at_once() -> Vec<Outcome> {
    const ACCOUNTS: usize = 20;
    let world = World::start(&[]).await;
    let (mut moved, mut owned) = (0, 0);
    for n in 0..ACCOUNTS {
        let name = format!("without-a-phone-{n}");
        world
            .import(json!([{"name": name, "password": "a-password"}]))
            .await;
        let from = address(n);
        let login = world.log_in_with_password(&from, &name, "a-password").await;
        let session = token_in(&login).unwrap();
        let phones = [format!("138{n:08}"), format!("139{n:08}")];
        for phone in &phones {
            let body = json!({"mcode": "+86", "mobile": phone});
            let path = "/v1/user/verify_code";
            world.post_in_session(&from, &session, path, body).await;
        }
        world.settle().await;
        let make = |phone: &str| {
            let code = world.code(&format!("+86{phone}"));
            let body = json!({"mcode": "+86", "mobile": phone, "verify_code": code});
            world.post_in_session(&from, &session, "/v1/user/mobile", body)
        };
        let (a, b) = join(make(&phones[0]), make(&phones[1])).await;
        moved += usize::from(a.is_ok() || b.is_ok());
        for phone in &phones {
            let phone = Phone::from_parts("86", phone).unwrap();
            let seen = world.system.store.read(&[Key::phone_owner(&phone)]).await;
            owned += usize::from(seen.unwrap().owner_by_phone(&phone).unwrap().is_some());
        }
    }
    vec![Outcome::new(
        "two devices give an account without a phone two of them at once, 20 times",
        "each account ends with one phone, and owns one number",
        moved == ACCOUNTS && owned == ACCOUNTS,
        format!("{owned} numbers owned by {ACCOUNTS} accounts"),
    )]
}
