//! What API Gateway itself answers, as functions/README.md says it and as the local system gives it.

use std::{fs, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{ERIC, message::PHONE_REQUIRED, root, scenario};

const SEND: &str = "/v1/user/sendLoginMessage";
/// The template's `ApiBurstLimit`, and its `ApiRateLimit` in a second.
const BURST: usize = 100;
const RATE: usize = 50;

/// The rows of the README's table: request, HTTP status, body.
fn rows() -> Vec<(String, u16, Value)> {
    let readme = fs::read_to_string(root().join("functions/README.md")).unwrap();
    let lines = readme.lines();
    let table = lines.skip_while(|line| *line != "| request | HTTP status | body |");
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim));
    cells
        .map(|mut cells| {
            let mut cell = || cells.next().unwrap();
            let (request, status, body) = (cell().to_owned(), cell(), cell());
            let body = serde_json::from_str(body.trim_matches('`')).unwrap();
            (request, status.parse().unwrap(), body)
        })
        .collect()
}

#[tokio::test]
async fn what_no_function_answers_is_answered_as_the_readme_says() {
    scenario(async |app| {
        let body = json!({"phone": ERIC}).to_string();
        let empty = String::new();
        let too_large = format!(r#"{{"phone":"{}"}}"#, "1".repeat(10 * 1024 * 1024 - 11));
        let post = vec![Method::POST];
        let others = vec![Method::GET, Method::PUT, Method::DELETE, Method::PATCH];
        let mut tried = 0;
        for (request, status, expected) in rows() {
            let (methods, path, body) = match request.as_str() {
                "unknown path" => (&post, "/v1/user/nothing".to_owned(), &body),
                "path with a slash at its end" => (&post, format!("{SEND}/"), &body),
                "path in another case" => (&post, SEND.to_lowercase(), &body),
                "another method than the endpoint's" => (&others, SEND.to_owned(), &body),
                "body over 10 MiB" => (&post, SEND.to_owned(), &too_large),
                "over `ApiRateLimit` and `ApiBurstLimit`" => (&post, SEND.to_owned(), &empty),
                // What the local system has not: processes that can crash.
                _ => {
                    assert!([500, 503].contains(&status), "{request}");
                    continue;
                }
            };
            if status == 429 {
                app.clock.stop();
                app.redeploy_throttled().await;
                for _ in 0..BURST {
                    app.post(SEND, json!({}))
                        .await
                        .assert_refused(PHONE_REQUIRED);
                }
            }
            for method in methods {
                tried += 1;
                let headers = [("content-type", "application/json")];
                let answer = app
                    .request(method.clone(), &path, &headers, body.clone())
                    .await;
                let said = (answer.status, &answer.body);
                assert_eq!(said, (status, &expected), "{method}: {request}");
                assert_eq!(answer.headers["content-type"], "application/json");
            }
        }
        assert_eq!(tried, 9, "of every row that the local system can answer");
        assert!(app.inbox().messages().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_head_request_is_answered_without_a_body() {
    scenario(async |app| {
        let answer = app.request(Method::HEAD, SEND, &[], "").await;
        assert_eq!((answer.status, answer.body), (404, json!("")));
    })
    .await;
}

/// A client may send its whole body before it reads: a gateway that closed the connection under it would
/// lose the answer.
#[tokio::test]
async fn an_answer_reaches_a_client_that_still_sends_its_body() {
    scenario(async |app| {
        let paths = ["/v1/user/nothing", SEND];
        for (path, expected) in paths.into_iter().zip(["404 Not Found", "413 Payload"]) {
            let gateway = app.gateway_url();
            let mut client = TcpStream::connect(gateway.trim_start_matches("http://"))
                .await
                .unwrap();
            let body = vec![b' '; 11 * 1024 * 1024];
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: local\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let (first, rest) = body.split_at(body.len() - 1_000);
            client.write_all(head.as_bytes()).await.unwrap();
            client.write_all(first).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            client.write_all(rest).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
        }
    })
    .await;
}

/// A client whose refresh is throttled signs its user out.
#[tokio::test]
async fn refreshes_share_no_limit_with_other_requests() {
    scenario(async |app| {
        app.clock.stop();
        app.redeploy_throttled().await;
        while app.post(SEND, json!({})).await.status != 429 {}
        let mut admitted = 0;
        while app.refresh("no-refresh-token").await.status == 400 {
            admitted += 1;
        }
        // As functions/README.md says.
        assert_eq!(admitted, 1_000);
    })
    .await;
}

#[tokio::test]
async fn what_is_throttled_is_admitted_again_as_time_passes() {
    scenario(async |app| {
        app.clock.stop();
        app.redeploy_throttled().await;
        let admitted = async || {
            let mut admitted = 0;
            while app.post(SEND, json!({})).await.status != 429 {
                admitted += 1;
            }
            admitted
        };
        assert_eq!(admitted().await, BURST);
        app.wait(1);
        assert_eq!(admitted().await, RATE);
    })
    .await;
}
