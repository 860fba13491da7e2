//! A whole system, its users and its attackers.

use std::{collections::BTreeMap, path::Path, time::Duration};

use local::{gateway::SOURCE_IP_HEADER, system::Options, system::System};
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    domain::{
        phone::Phone,
        time::UnixMs,
        user::{AccountId, Name, Uid, User},
    },
    store::users::CreateOutcome,
};

pub struct World {
    pub system: System,
    http: reqwest::Client,
}

/// What an attacker sees.
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<u64>,
    /// The headers' names, in their order.
    pub headers: Vec<String>,
    pub text: String,
    pub body: Value,
}

impl Answer {
    /// Whether it is a success, in whichever dialect it is.
    ///
    /// # Panics
    /// When it is of no dialect: no attack should meet such an answer.
    pub fn is_ok(&self) -> bool {
        match (&self.body["success"], &self.body["code"]) {
            // Dialect A has `success`, dialect B codes 0 and 1, dialect C 200 and errors.
            (Value::Bool(success), _) => *success && self.status == 200,
            (Value::Null, Value::Number(code)) => {
                code.as_u64().is_some_and(|code| code == 0 || code == 200)
            }
            (Value::Null, Value::String(_)) => false,
            // Dialect D has a code in refusals alone.
            (Value::Null, Value::Null) => self.status == 200,
            _ => panic!("an answer of no dialect: {} {}", self.status, self.body),
        }
    }

    /// The ticket or token in it.
    pub fn result(&self) -> &str {
        self.body["result"].as_str().unwrap_or_default()
    }
}

/// The deployed configuration with these variables, except for the cost of a password's hash and the time
/// limit for DynamoDB.
pub fn options(environment: &[(&str, &str)]) -> Options {
    let deployed = [
        ("SENDS_PER_ADDRESS_HOUR", "30"),
        ("SENDS_PER_ADDRESS_DAY", "100"),
        ("PASSWORD_MEMORY_KIB", "64"),
        ("PASSWORD_PASSES", "1"),
        // For hundreds of requests at once a small machine takes longer than the usual time limit.
        ("DYNAMODB_ATTEMPT_MS", "2500"),
    ];
    let all = deployed.iter().chain(environment);
    let all: BTreeMap<_, _> = all
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Options {
        template: Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml"),
        gateway_port: 0,
        dynamodb_port: 0,
        sns_port: 0,
        kms_port: 0,
        environment: all,
        trust_source_ip_header: true,
        ..Options::default()
    }
}

impl World {
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        Self {
            system: System::start(options(environment)).await.unwrap(),
            http: reqwest::Client::new(),
        }
    }

    pub async fn post(&self, from: &str, path: &str, body: Value) -> Answer {
        self.post_in_session(from, "", path, body).await
    }

    /// Posts with a session's token.
    pub async fn post_in_session(
        &self,
        from: &str,
        session: &str,
        path: &str,
        body: Value,
    ) -> Answer {
        self.request(Method::POST, from, session, path, body).await
    }

    /// A request with a token, unless it is empty.
    pub async fn request(
        &self,
        method: Method,
        from: &str,
        session: &str,
        path: &str,
        body: Value,
    ) -> Answer {
        let bearer = format!("Bearer {session}");
        let headers = [("authorization", bearer.as_str())];
        let headers = if session.is_empty() {
            &[]
        } else {
            &headers[..]
        };
        self.request_with(method, from, headers, path, body).await
    }

    /// A request with these headers beside the usual ones.
    pub async fn request_with(
        &self,
        method: Method,
        from: &str,
        headers: &[(&str, &str)],
        path: &str,
        body: Value,
    ) -> Answer {
        let url = format!("{}{path}", self.system.gateway_url);
        let request = self.http.request(method, url);
        let usual = [
            (SOURCE_IP_HEADER, from),
            ("content-type", "application/json"),
        ];
        let headers = usual.iter().chain(headers);
        let request = headers.fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let headers = response.headers().keys().map(ToString::to_string).collect();
        let text = response.text().await.unwrap();
        Answer {
            status,
            retry_after,
            headers,
            body: serde_json::from_str(&text).unwrap(),
            text,
        }
    }

    /// An account with a phone of country 86.
    pub async fn user(&self, uid: u64, phone: &str) {
        let phone = Phone::from_parts("86", phone);
        let name = Name::parse(&format!("user-{uid}")).unwrap();
        let id = AccountId::from_random(u128::from(uid).to_be_bytes());
        let user = User::new(Uid(uid), id, name, phone, UnixMs(1_532_526_039_883));
        let created = self.system.store.create_user(&user, None).await;
        assert_eq!(created, Ok(CreateOutcome::Done));
    }

    /// Asks for a login code.
    pub async fn ask(&self, from: &str, phone: &str) -> Answer {
        let path = "/v1/user/sendLoginMessage";
        self.post(from, path, json!({ "phone": phone })).await
    }

    pub async fn log_in(&self, from: &str, ticket: &str, code: &str) -> Answer {
        let body = json!({"phoneInfo": ticket, "code": code});
        self.post(from, "/v1/user/loginByMessage", body).await
    }

    /// A session by SMS, of an account with this phone.
    pub async fn session(&self, from: &str, phone: &str) -> String {
        let sent = self.ask(from, phone).await;
        self.settle().await;
        let code = self.code(&format!("+86{phone}"));
        let answer = self.log_in(from, sent.result(), &code).await;
        answer.body["token"].as_str().unwrap().to_owned()
    }

    /// Logs in by password.
    pub async fn log_in_with_password(&self, from: &str, name: &str, password: &str) -> Answer {
        let body = json!({"value": name, "password": password});
        self.post(from, "/v1/user/login", body).await
    }

    /// Sets a password by SMS.
    pub async fn set_password(&self, from: &str, phone: &str, password: &str) {
        let path = "/v1/user/sendChangePasswordMessage2";
        let sent = self.post(from, path, json!({ "phone": phone })).await;
        self.settle().await;
        let code = self.code(&format!("+86{phone}"));
        let body = json!({"phoneInfo": sent.result(), "code": code, "newPassword": password});
        let path = "/v1/user/changePasswordByMessage2";
        let set = self.post(from, path, body).await;
        self.settle().await;
        assert!(set.is_ok(), "{}", set.text);
    }

    /// Imports accounts, as an operator does. Its report.
    pub async fn import(&self, users: Value) -> Value {
        let event = serde_json::from_value(json!({ "users": users })).unwrap();
        let app = self.system.apps["import-users"].clone();
        let report = import_users::handle(app, event, self.system.clock.now());
        serde_json::to_value(report.await.unwrap()).unwrap()
    }

    /// The last code sent to a phone, by its E.164 number.
    pub fn code(&self, e164: &str) -> String {
        let messages = self.system.inbox.to(e164);
        // A notice has no code.
        let mut codes = messages.iter().rev().filter_map(|sms| {
            let mut runs = sms.message.split(|c: char| !c.is_ascii_digit());
            runs.rfind(|run| run.len() == 6).map(str::to_owned)
        });
        codes.next().expect("no code was sent")
    }

    /// How many SMS have been sent.
    pub fn messages(&self) -> usize {
        self.system.inbox.messages().len()
    }

    pub fn wait(&self, seconds: u64) {
        self.system.clock.advance(Duration::from_secs(seconds));
    }

    /// Waits until the deferred work is done.
    pub async fn settle(&self) {
        for app in self.system.apps.values() {
            app.background.settle().await;
        }
    }
}

/// The `n`-th of an attacker's IPv4 addresses.
pub fn address(n: usize) -> String {
    std::net::Ipv4Addr::from(u32::from_be_bytes([10, 0, 0, 0]) + n as u32).to_string()
}

/// A code that a phone was not sent: the `n`-th after the right one.
pub fn wrong(code: &str, n: u32) -> String {
    let right: u32 = code.parse().unwrap();
    format!("{:06}", (right + 1 + n) % 1_000_000)
}

pub const HOUR: u64 = 3600;
pub const DAY: u64 = 24 * HOUR;
