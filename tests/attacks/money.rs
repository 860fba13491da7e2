//! The money ledger under fifty environments of Lambda at once, some of which die in the middle.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use lambda_http::Request;
use local::{functions, system::System};
use serde_json::{Value, json};
use shared::App;

use crate::{
    outcome::Outcome,
    world::{World, address, options},
};

const ENVIRONMENTS: usize = 50;
const PRICE_USD: f64 = 0.04;
const CAP_USD: f64 = 20.0;
/// What anybody may spend of it.
const COMMON_USD: f64 = 16.0;
const SENDS: usize = 600;

/// A request for a code to register the `n`-th new number with, as Lambda hands it over.
fn request(n: usize) -> Request {
    let event = include_str!("../../events/send-register-message.json");
    let mut event: Value = serde_json::from_str(event).unwrap();
    event["body"] = json!(json!({"phone": format!("139{n:08}")}).to_string());
    event["isBase64Encoded"] = json!(false);
    event["headers"]["content-type"] = json!("application/json");
    event["requestContext"]["http"]["sourceIp"] = json!(address(n));
    lambda_http::request::from_str(&event.to_string()).unwrap()
}

/// Many more sends than there is money for, spread over the environments; with `crashes`, every third
/// ends somewhere in the middle. What was spent, in messages.
async fn spend(crashes: bool) -> usize {
    let cap = CAP_USD.to_string();
    let environment = [
        ("DAILY_SPEND_USD", cap.as_str()),
        ("SMS_PRICES_USD", r#"{"86":0.04}"#),
    ];
    let world = World::start(&environment).await;
    let mut environments: Vec<(System, Arc<App>)> = Vec::new();
    for _ in 0..ENVIRONMENTS {
        let mut options = options(&environment);
        options.dynamodb_endpoint = Some(world.system.endpoints.dynamodb.clone());
        options.sns_endpoint = Some(world.system.endpoints.sns.clone());
        let system = System::start(options).await.unwrap();
        let app = system.apps["send-register-message"].clone();
        environments.push((system, app));
    }
    let handle = functions::handler("send-register-message").unwrap();
    let now = world.system.clock.now();
    // An environment serves one request at a time.
    let serve = async |which: usize, app: &Arc<App>| {
        for n in (which..SENDS).step_by(ENVIRONMENTS) {
            let answer = handle(app.clone(), request(n), now);
            if crashes && n % 3 == 0 {
                // A few milliseconds in: before it wrote, after it reserved, while it publishes.
                let _ = tokio::time::timeout(Duration::from_millis(n as u64 % 60), answer).await;
            } else {
                answer.await;
            }
        }
    };
    let all = environments.iter().enumerate();
    join_all(all.map(|(which, (_, app))| serve(which, app))).await;
    // What was published when its environment died still arrives.
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.messages()
}

fn outcome(attack: &'static str, promise: &str, held: bool, messages: usize) -> Outcome {
    let spent = messages as f64 * PRICE_USD;
    let result = format!(
        "{spent:.2} USD, {:.1} % of them",
        100.0 * spent / COMMON_USD
    );
    Outcome::new(attack, promise, held, result).varying()
}

/// Nothing crashes.
pub async fn fifty_environments() -> Vec<Outcome> {
    let messages = spend(false).await;
    let spent = messages as f64 * PRICE_USD;
    vec![outcome(
        "spending 24 USD of a daily cap of 20, by 50 environments at once",
        "at most the four fifths that are for anybody, and at least 95 % of them",
        (0.95 * COMMON_USD..=COMMON_USD).contains(&spent),
        messages,
    )]
}

/// Every third request dies in the middle.
pub async fn fifty_environments_that_crash() -> Vec<Outcome> {
    let messages = spend(true).await;
    let spent = messages as f64 * PRICE_USD;
    vec![outcome(
        "the same, while every third request dies in the middle",
        "at most that",
        spent <= COMMON_USD && messages > 0,
        messages,
    )]
}
