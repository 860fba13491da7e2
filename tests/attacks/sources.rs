//! Addresses: whole networks of them, visitors of a web page, and messages that never arrive.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{outcome::Outcome, world::World};

const SEND: &str = "/v1/user/sendRegisterMessage";

/// A message to the `n`-th number.
fn to(n: usize) -> Value {
    json!({"phone": format!("137{n:08}")})
}

/// A thousand numbers in an hour from the 256 subscribers' networks of one /56.
pub async fn an_ipv6_network() -> Vec<Outcome> {
    let world = World::start(&[("DAILY_SPEND_USD", "1000"), ("FRAUD_GUARD", "off")]).await;
    let mut sent = 0;
    for n in 0..1_000 {
        let from = format!("2001:db8:1:2{:02x}::{n:x}", n % 256);
        sent += usize::from(world.post(&from, SEND, to(n)).await.is_ok());
    }
    let next = "2001:db8:1:300::1";
    let neighbour = world.post(next, SEND, to(1_000)).await.is_ok();
    vec![Outcome::new(
        "flooding 1,000 phones in an hour, from all of an IPv6 /56",
        "120 messages, four times what one /64 gets; its neighbour has its own",
        sent == 120 && neighbour,
        format!("{sent} sent"),
    )]
}

/// Requests that the pages of foreign origins make their visitors send, to every route.
pub async fn foreign_pages() -> Vec<Outcome> {
    let world = World::start(&[("CORS_ORIGINS", "https://app.example.com")]).await;
    world.user(5, "13800138001").await;
    let pages: [&[(&str, &str)]; 3] = [
        &[
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
    ];
    let functions = world.system.template.functions.iter();
    let routes = functions.flat_map(|function| &function.routes);
    let (mut asked, mut forbidden) = (0, 0);
    for route in routes {
        let method = if route.method == "ANY" {
            "POST"
        } else {
            &route.method
        };
        let path = route.path.replace("{proxy+}", "anything");
        for (n, headers) in pages.iter().enumerate() {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let from = format!("192.0.2.{n}");
            let body = json!({"phone": "13800138001", "username": "user-5", "mobile_phone": "13800138001"});
            let answer = world
                .request_with(method, &from, headers, &path, body)
                .await;
            asked += 1;
            forbidden += usize::from(answer.status == 403);
        }
    }
    let messages = world.messages();
    vec![Outcome::new(
        "a web page of a foreign origin has its visitors call every route",
        "all are refused; none sends, tries or counts",
        forbidden == asked && messages == 0,
        format!("{forbidden} of {asked} refused, {messages} sent"),
    )]
}

/// Numbers whose owners want no messages of ours, which SNS refuses.
pub async fn numbers_that_sns_refuses() -> Vec<Outcome> {
    let world = World::start(&[]).await;
    let tried = 200;
    let mut refused = 0;
    for n in 0..tried {
        let body = to(n);
        world
            .system
            .inbox
            .opt_out(&format!("+86{}", body["phone"].as_str().unwrap()));
        let answer = world.post("192.0.2.1", SEND, body).await;
        assert!(!answer.is_ok(), "{}", answer.text);
        refused += usize::from(answer.retry_after.is_none());
    }
    vec![Outcome::new(
        "200 numbers in an hour whose messages SNS refuses, from one address",
        "30 get as far as SNS: what it refuses counts like what it sends",
        refused == 30,
        format!("{refused} got there"),
    )]
}
