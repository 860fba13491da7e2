//! Each event in events/ is read by its function's own handler and answered as `answers.json` says, which
//! `.ci/try.py` reads too.

use std::fs;

use lambda_http::Body;
use local::functions::handler;
use serde_json::Value;

use crate::support::{TestApp, root, scenario};

/// The answer of a function to its event in events/.
async fn answer_to(app: &TestApp, function: &str) -> Value {
    let event = fs::read_to_string(root().join(format!("events/{function}.json"))).unwrap();
    let (state, now) = (app.function_app(function), app.clock.now());
    let Some(handle) = handler(function) else {
        let mut event: Value = serde_json::from_str(&event).unwrap();
        return match function {
            "authorizer" => app.authorize(event).await,
            "import-users" => app.import(event["users"].take()).await,
            _ => app.operate(function, event).await,
        };
    };
    let request = lambda_http::request::from_str(&event).unwrap();
    let answer = app.observed(function, handle(state, request, now)).await;
    let Body::Text(text) = answer.into_body() else {
        panic!("{function} answered no text");
    };
    serde_json::from_str(&text).unwrap()
}

/// Whether an answer has what is listed of it. Objects may have more.
fn agrees(answer: &Value, listed: &Value) -> bool {
    match listed {
        Value::Object(listed) => {
            let mut fields = listed.iter();
            fields.all(|(name, listed)| agrees(&answer[name], listed))
        }
        Value::Array(listed) => {
            let answer = answer.as_array();
            answer.is_some_and(|answer| {
                let mut pairs = answer.iter().zip(listed);
                answer.len() == listed.len() && pairs.all(|(answer, listed)| agrees(answer, listed))
            })
        }
        listed => answer == listed,
    }
}

#[tokio::test]
async fn each_event_is_read_by_its_function_and_answered_as_listed() {
    let list: Vec<Value> = serde_json::from_str(include_str!("answers.json")).unwrap();
    scenario(async |app| {
        for row in &list {
            let function = row["function"].as_str().unwrap();
            let answer = answer_to(app, function).await;
            app.learn_from(&answer);
            for (field, expected) in row["answer"].as_object().unwrap() {
                let answered = &answer[field];
                assert!(
                    agrees(answered, expected),
                    "{function}: {field} of {answer}"
                );
            }
        }
    })
    .await;
}
