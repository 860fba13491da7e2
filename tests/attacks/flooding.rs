//! Flooding one phone, and flooding many phones from one address.

use serde_json::json;

use crate::{
    outcome::Outcome,
    world::{DAY, World, address},
};

const VICTIM: &str = "13800138001";

/// Every endpoint that sends, every three minutes for a day, each time from another address.
pub async fn one_phone() -> Vec<Outcome> {
    let world = World::start(&[("DAILY_SPEND_USD", "1000")]).await;
    world.user(5, VICTIM).await;
    let mut asked = 0;
    for round in 0..24 * 20 {
        let from = address(round);
        let path = match round % 4 {
            0 => "/v1/user/sendLoginMessage",
            1 => "/v1/user/sendChangePasswordMessage2",
            2 => "/v1/user/sendRegisterMessage",
            _ => "/Systems/sendVerificationCode",
        };
        let body = json!({"phone": VICTIM, "username": "user-5", "mobile_phone": VICTIM});
        world.post(&from, path, body).await;
        asked += 1;
        world.wait(180);
    }
    let at: Vec<u64> = world
        .system
        .inbox
        .messages()
        .iter()
        .map(|sms| sms.at.0)
        .collect();
    let most_within = |ms: u64| {
        let within = at.iter().map(|from| {
            at.iter()
                .filter(|at| (*from..from + ms).contains(at))
                .count()
        });
        within.max().unwrap_or(0)
    };
    let (hour, day) = (most_within(3_600_000), most_within(DAY * 1000));
    vec![Outcome::new(
        "flooding one phone for a day, from 480 addresses, by four endpoints",
        "5 messages in any hour, 10 in any 24 h, over all purposes",
        hour == 5 && day == 10,
        format!("{asked} asked for; at most {hour} in an hour, {day} in the day"),
    )]
}

/// One address, a thousand phones, for an hour and a day.
pub async fn from_one_address() -> Vec<Outcome> {
    let world = World::start(&[("DAILY_SPEND_USD", "1000"), ("FRAUD_GUARD", "off")]).await;
    let ask = async |n: usize| {
        let phone = format!("139{n:08}");
        let path = "/v1/user/sendRegisterMessage";
        let answer = world
            .post("192.0.2.1", path, json!({ "phone": phone }))
            .await;
        assert!(answer.is_ok() || answer.retry_after.is_some());
    };
    for n in 0..500 {
        ask(n).await;
    }
    let hour = world.messages();
    for n in 500..1000 {
        world.wait(DAY / 500);
        ask(n).await;
    }
    let day = world.messages();
    vec![Outcome::new(
        "flooding a thousand phones for a day, from one address",
        "30 messages in any hour, 100 in any 24 h whose codes are not used",
        // Exactly the promised numbers: a limiter that refused everything would keep an upper bound too.
        hour == 30 && day == 100,
        format!("{hour} in the first hour, {day} in 24 h and that hour"),
    )]
}
