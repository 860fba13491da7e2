use axum::http::{Request, request::Builder};

use super::*;

fn event_of(request: Builder, body: &[u8]) -> Value {
    let (parts, ()) = request.body(()).expect("a valid request").into_parts();
    let context = Context {
        route: &Route {
            method: "POST".to_owned(),
            path: "/v1/send".to_owned(),
        },
        domain: "127.0.0.1:9000",
        source_ip: [203, 0, 113, 7].into(),
        request_id: "local-1",
        now: UnixMs(1_583_348_638_390),
    };
    event(&parts, body, &context)
}

fn post() -> Builder {
    Request::post("/v1/send")
}

#[test]
fn a_request_becomes_an_event_in_api_gateways_format() {
    let request = post()
        .header("Host", "example.com")
        .header("Content-Type", "application/json; charset=utf-8")
        .header("User-Agent", "curl/8.5.0")
        .header("X-Two", "a")
        .header("X-Two", "b")
        .header("Cookie", "a=1; b=2")
        .header("X-Forwarded-For", "198.51.100.1");
    let expected = json!({
        "version": "2.0",
        "routeKey": "POST /v1/send",
        "rawPath": "/v1/send",
        "rawQueryString": "",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "content-type": "application/json; charset=utf-8",
            "host": "127.0.0.1:9000",
            "user-agent": "curl/8.5.0",
            "x-forwarded-for": "198.51.100.1, 203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            "x-two": "a,b",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "127.0.0.1:9000",
            "domainPrefix": "local",
            "http": {
                "method": "POST",
                "path": "/v1/send",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "local-1",
            "routeKey": "POST /v1/send",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64,
        },
        "body": "{\"phone\":\"13800138001\"}",
        "isBase64Encoded": false,
    });
    assert_eq!(event_of(request, br#"{"phone":"13800138001"}"#), expected);
}

#[test]
fn a_query_is_in_the_event_raw_and_decoded() {
    let event = event_of(Request::post("/v1/send?a=1&a=%20x&b"), b"");
    assert_eq!(event["rawQueryString"], "a=1&a=%20x&b");
    assert_eq!(
        event["queryStringParameters"],
        json!({"a": "1, x", "b": ""})
    );
    assert_eq!(event["body"], Value::Null);
}

#[test]
fn only_text_bodies_are_not_encoded() {
    for (content_type, body, encoded) in [
        ("application/json", b"{}".as_slice(), false),
        ("Application/JSON;charset=UTF-8", b"{}", false),
        ("text/plain", b"{}", false),
        ("application/problem+json", b"{}", false),
        ("application/json", b"\xff", true),
        ("application/x-www-form-urlencoded", b"phone=1", true),
        ("", b"{}", true),
    ] {
        let event = event_of(post().header("Content-Type", content_type), body);
        assert_eq!(event["isBase64Encoded"], encoded, "{content_type}");
        let sent = event["body"].as_str().expect("there is a body");
        if encoded {
            assert_eq!(BASE64_STANDARD.decode(sent).expect("it is Base64"), body);
        } else {
            assert_eq!(sent.as_bytes(), body);
        }
    }
}
