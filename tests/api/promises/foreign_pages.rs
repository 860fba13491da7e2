//! Web pages of foreign origins: a browser says where a request comes from, and a page that may not read the
//! answer may not make its visitors send, try or count either.

use reqwest::Method;
use serde_json::json;
use shared::telemetry::metrics::Metric;

use crate::support::{Answer, ERIC, TestApp, metrics::counted, routes, scenario, scenario_with};

const OURS: &str = "https://app.example.com";
const CONFIGURED: &[(&str, &str)] = &[(
    "CORS_ORIGINS",
    "https://app.example.com, https://www.example.com:8443",
)];

/// A login code requested by a form of a web page, which needs no preflight, with these headers of a browser.
async fn ask(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask_by(app, Method::POST, path, headers).await
}

async fn ask_by(app: &TestApp, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let form = ("content-type", "text/plain");
    let headers = [&[form], headers].concat();
    let body = json!({"phone": ERIC, "username": "eric", "mobile_phone": ERIC});
    app.request(method, path, &headers, body.to_string()).await
}

#[tokio::test]
async fn a_foreign_page_gets_403_from_every_route_and_nothing_is_read() {
    scenario_with(CONFIGURED, async |app| {
        let calls = app.calls().0.len();
        let foreign: [&[(&str, &str)]; 6] = [
            &[("origin", "https://evil.example")],
            &[
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[("sec-fetch-site", "cross-site")],
            // A sandboxed frame, a local file, a redirect from elsewhere.
            &[("origin", "null")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://app.example.com.evil.example")],
        ];
        let routes = routes();
        for (method, path) in &routes {
            for headers in foreign {
                let answer = ask_by(app, method.clone(), path, headers).await;
                answer.assert_forbidden();
                assert_eq!(answer.headers["vary"], "Origin");
            }
        }
        assert_eq!(app.calls().0.len(), calls, "nothing is read");
        let refusals = counted(app, Metric::Refusals, Some(("Reason", "ForeignOrigin")));
        assert_eq!(refusals, (routes.len() * foreign.len()) as f64);
    })
    .await;
}

#[tokio::test]
async fn without_configured_origins_every_other_site_is_foreign() {
    scenario(async |app| {
        let path = "/v1/user/info";
        for headers in [
            ("origin", OURS),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            ask(app, path, &[headers]).await.assert_forbidden();
        }
    })
    .await;
}

#[tokio::test]
async fn apps_the_own_site_and_configured_origins_pass() {
    scenario_with(CONFIGURED, async |app| {
        let own: [&[(&str, &str)]; 8] = [
            // An app is no browser: it sends neither header.
            &[],
            &[("origin", OURS)],
            &[("origin", OURS), ("sec-fetch-site", "cross-site")],
            &[
                ("origin", "https://www.example.com:8443"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[
                ("origin", "https://api.example.com"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[
                ("origin", "https://other.example.com"),
                ("sec-fetch-site", "same-site"),
            ],
            &[("sec-fetch-site", "same-origin")],
            // Typed by the user.
            &[("sec-fetch-site", "none")],
        ];
        for headers in own {
            let answer = ask(app, "/v1/user/info", headers).await;
            answer.assert_invalid_token();
            assert_eq!(answer.headers["vary"], "Origin");
        }
        let sent = ask(app, "/v1/user/sendLoginMessage", &[("origin", OURS)]).await;
        sent.assert_ok(&json!(sent.result()));
    })
    .await;
}
