//! Finding out who has an account.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    outcome::Outcome,
    world::{Answer, DAY, World},
};

/// All that an answer shows, but for what is random: a ticket and a message's id show their lengths.
fn seen(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    for random in ["result", "message_id"] {
        if let Some(text) = body[random].as_str() {
            body[random] = json!(text.len());
        }
    }
    json!([
        answer.status,
        answer.headers,
        answer.text.len(),
        answer.retry_after,
        body
    ])
}

/// Where users are hidden, the same requests for an account and for nobody, through cool-downs and limits.
pub async fn by_answers() -> Vec<Outcome> {
    let world = World::start(&[("HIDE_UNKNOWN_USERS", "true")]).await;
    world.user(5, "13800138001").await;
    world.system.clock.stop();
    let mut compared = 0;
    let mut different = Vec::new();
    let mut histories: [Vec<(String, Value)>; 2] = Default::default();
    let people = [("user-5", "13800138001"), ("name-5", "13900139001")];
    for (history, (name, phone)) in histories.iter_mut().zip(people) {
        let with_country = format!("86{phone}");
        for turn in 0..15 {
            let guess = format!("00000{}", turn % 10);
            let requests = [
                ("/v1/user/sendLoginMessage", json!({ "phone": phone })),
                (
                    "/v1/user/sendChangePasswordMessage2",
                    json!({ "phone": phone }),
                ),
                ("/v1/user/sendRegisterMessage", json!({ "phone": phone })),
                (
                    "/Systems/sendVerificationCode",
                    json!({"username": name, "mobile_phone": phone}),
                ),
                (
                    "/Systems/makeSureVerificationCode",
                    json!({"username": name, "verification_code": guess}),
                ),
                (
                    "/Systems/changepasswd",
                    json!({"username": name, "Verification_char": guess, "new_password": "Wachtwoord42"}),
                ),
                ("/v1/user/login", json!({"value": name, "password": guess})),
                ("/v1/user/login", json!({"value": phone, "password": guess})),
                (
                    "/auth/v1/otp",
                    json!({"phone": with_country, "create_user": false}),
                ),
                (
                    "/auth/v1/verify",
                    json!({"type": "sms", "phone": with_country, "token": guess}),
                ),
                (
                    "/auth/v1/token?grant_type=password",
                    json!({"phone": with_country, "password": guess}),
                ),
                (
                    "/auth/v1/resend",
                    json!({"type": "sms", "phone": with_country}),
                ),
                (
                    "/auth/v1/resend",
                    json!({"type": "phone_change", "phone": with_country}),
                ),
            ];
            for (path, body) in requests {
                let answer = world
                    .request_with(Method::POST, "192.0.2.9", &[], path, body)
                    .await;
                history.push((format!("{path}, turn {turn}"), seen(&answer)));
            }
            world.settle().await;
            world.wait(121);
        }
        world.wait(2 * DAY);
    }
    let [known, unknown] = &histories;
    for ((request, known), (_, unknown)) in known.iter().zip(unknown) {
        compared += 1;
        if known != unknown {
            different.push(format!("{request}: {known} and {unknown}"));
        }
    }
    for different in different.iter().take(5) {
        println!("different: {different}");
    }
    let different = different.len();
    vec![Outcome::new(
        "the same requests for an account and for nobody, where users are hidden, past every limit",
        "equal answers, to the byte but for what is random; equal headers and waits",
        different == 0,
        format!("{different} of {compared} differ"),
    )]
}

/// One code for a free number, and thirty names that are taken.
pub async fn by_taken_names() -> Vec<Outcome> {
    let world = World::start(&[]).await;
    for n in 0..30 {
        world.user(100 + n, &format!("138{n:08}")).await;
    }
    let (from, phone) = ("192.0.2.1", "13900139001");
    let path = "/v1/user/sendRegisterMessage";
    let sent = world.post(from, path, json!({ "phone": phone })).await;
    let code = world.code(&format!("+86{phone}"));
    let (mut told, mut joined) = (0, 0);
    for n in 0..31 {
        let name = if n == 30 {
            "newcomer".to_owned()
        } else {
            format!("user-{}", 100 + n)
        };
        let body = json!({
            "phoneInfo": sent.result(), "code": code, "name": name, "password": "a-password",
        });
        let answer = world.post(from, "/v1/user/register", body).await;
        told += usize::from(answer.body["code"] == "{NAME}_EXISTS");
        joined += usize::from(answer.is_ok());
    }
    vec![Outcome::new(
        "asking whether 30 names are taken, with one code",
        "10 names a code, which is then spent",
        told == 10 && joined == 0,
        format!("{told} told"),
    )]
}
