//! The system under test.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::Client;
use local::{
    clock::Clock,
    dynamodb,
    gateway::SOURCE_IP_HEADER,
    kms, sns,
    system::{Options, System},
};
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use shared::{App, domain::user::Draws, store::Store};

use super::{
    answer::Answer, calls::Call, checkout::root, codes::digits_of, log, people::md5, relay::Relay,
};

/// The content type of a form.
pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// An hour, in seconds.
pub const HOUR: u64 = 3600;
/// A day, in seconds.
pub const DAY: u64 = 24 * HOUR;

/// A longer time-out for DynamoDB, for tests that are not about time: a small machine under load takes
/// longer than the functions wait by default.
pub const PATIENT: (&str, &str) = ("DYNAMODB_ATTEMPT_MS", "2500");

/// A DynamoDB to run the tests on in place of the embedded one: AWS's DynamoDB Local, say.
const EXTERNAL_DYNAMODB: &str = "LATCHKEY_TEST_DYNAMODB";

/// One system with tables, inbox and clock of its own, and relays before DynamoDB and SNS.
pub struct TestApp {
    /// The namespace of its metrics, by which its log lines are found too.
    pub namespace: String,
    system: Mutex<System>,
    /// The functions of the next deployment, while it is rolled out, and whether they answer.
    rollout: Mutex<Option<System>>,
    answers_by_rollout: AtomicBool,
    options: Options,
    http: reqwest::Client,
    /// Before DynamoDB.
    pub dynamodb: Relay,
    /// Before SNS.
    pub sns: Relay,
    pub kms: Relay,
    /// What the functions take for the time.
    pub clock: Clock,
    /// Where its clients are, if all are at one address.
    address: Mutex<Option<String>>,
    secrets: Mutex<BTreeSet<String>>,
    /// The messages whose secrets are among them.
    learnt: AtomicUsize,
    _services: Vec<local::server::Server>,
}

impl TestApp {
    /// Starts it, with these variables in the functions' environment.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        let (inbox, clock) = (sns::Inbox::default(), Clock::default());
        let any_port = ([127, 0, 0, 1], 0).into();
        let mut services = Vec::new();
        let dynamodb_url = match std::env::var(EXTERNAL_DYNAMODB) {
            Ok(url) => url,
            Err(_) => {
                services.push(dynamodb::start(any_port, None).await.unwrap());
                services[0].url()
            }
        };
        services.push(
            sns::start(any_port, inbox.clone(), clock.clone())
                .await
                .unwrap(),
        );
        let sns_url = services[services.len() - 1].url();
        services.push(kms::start(any_port).await.unwrap());
        let kms_url = services[services.len() - 1].url();
        let (dynamodb, sns, kms) = (
            Relay::start(dynamodb_url).await,
            Relay::start(sns_url).await,
            Relay::start(kms_url).await,
        );
        let unique = u64::from(std::process::id()) * 1_000_000 + shared::clock::now().0 % 1_000_000;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("test-{unique}-{next}");
        let options = Options {
            template: root().join("template.yaml"),
            gateway_port: 0,
            table_prefix: format!("{namespace}-"),
            // Hashing is cheap here: what it costs is another test's matter.
            environment: [
                ("PASSWORD_MEMORY_KIB", "64"),
                ("PASSWORD_PASSES", "1"),
                ("METRICS_NAMESPACE", namespace.as_str()),
                ("SENDS_PER_ADDRESS_DAY", "100"),
            ]
            .iter()
            .chain(environment)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
            dynamodb_endpoint: Some(dynamodb.url()),
            sns_endpoint: Some(sns.url()),
            kms_endpoint: Some(kms.url()),
            inbox,
            clock: clock.clone(),
            trust_source_ip_header: true,
            ..Options::default()
        };
        let system = System::start(options.clone()).await.unwrap();
        Self {
            namespace,
            system: Mutex::new(system),
            rollout: Mutex::default(),
            answers_by_rollout: AtomicBool::new(false),
            options,
            http: reqwest::Client::new(),
            dynamodb,
            sns,
            kms,
            clock,
            address: Mutex::default(),
            secrets: Mutex::default(),
            learnt: AtomicUsize::default(),
            _services: services,
        }
    }

    /// Deploys the functions again with changes to their environment; the tables stay.
    pub async fn redeploy(&self, environment: &[(&str, &str)]) {
        let system = self.deploy(environment).await;
        *self.system.lock().unwrap() = system;
    }

    /// Deploys the functions again, to draw numbers and names from so few.
    pub async fn redeploy_drawing(&self, draws: Draws) {
        let options = Options {
            draws,
            ..self.options.clone()
        };
        *self.system.lock().unwrap() = System::start(options).await.unwrap();
    }

    /// Deploys the functions again, behind a gateway that counts requests.
    pub async fn redeploy_throttled(&self) {
        let options = Options {
            throttle: true,
            ..self.options.clone()
        };
        *self.system.lock().unwrap() = System::start(options).await.unwrap();
    }

    /// Deploys the functions beside those there are: while CloudFormation updates one after the other,
    /// both work on the same tables. [`Self::answers_by_rollout`] says which answer.
    pub async fn roll_out(&self, environment: &[(&str, &str)]) {
        let system = self.deploy(environment).await;
        *self.rollout.lock().unwrap() = Some(system);
    }

    /// Whether the functions that are rolled out answer from now on, or those that were there.
    pub fn answers_by_rollout(&self, by_rollout: bool) {
        self.answers_by_rollout.store(by_rollout, Ordering::Relaxed);
    }

    async fn deploy(&self, environment: &[(&str, &str)]) -> System {
        let mut options = self.options.clone();
        for (name, value) in environment {
            options
                .environment
                .insert((*name).to_owned(), (*value).to_owned());
        }
        System::start(options).await.unwrap()
    }

    /// Where the gateway listens, without a slash at its end.
    pub fn gateway_url(&self) -> String {
        let rollout = self.rollout.lock().unwrap();
        match &*rollout {
            Some(system) if self.answers_by_rollout.load(Ordering::Relaxed) => {
                system.gateway_url.clone()
            }
            _ => self.system.lock().unwrap().gateway_url.clone(),
        }
    }

    /// Lets time pass.
    pub fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// All requests come from this address from now on, unless they name another.
    pub fn stays_at(&self, address: &str) {
        *self.address.lock().unwrap() = Some(address.to_owned());
    }

    /// What a function made of its environment.
    pub fn function_app(&self, name: &str) -> Arc<App> {
        let rollout = self.rollout.lock().unwrap();
        match &*rollout {
            Some(system) if self.answers_by_rollout.load(Ordering::Relaxed) => {
                system.apps[name].clone()
            }
            _ => self.system.lock().unwrap().apps[name].clone(),
        }
    }

    /// A client to look into its tables with.
    pub fn tables(&self) -> Client {
        dynamodb::client(&self.dynamodb.url())
    }

    /// The name of a table here.
    pub fn table(&self, name: &str) -> String {
        format!("{}{name}", self.options.table_prefix)
    }

    /// Posts a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_raw(
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    /// Posts a JSON body from an address.
    pub async fn post_from(&self, address: &str, path: &str, body: Value) -> Answer {
        let headers = [
            ("content-type", "application/json"),
            (SOURCE_IP_HEADER, address),
        ];
        self.post_raw(path, &headers, body.to_string()).await
    }

    /// Posts a form.
    pub async fn post_form(&self, path: &str, body: &str) -> Answer {
        let form = (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        self.post_raw(path, &[form], body.to_owned()).await
    }

    /// Posts a JSON body in a session.
    pub async fn post_in_session(&self, path: &str, session: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {session}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        self.post_raw(path, &headers, body.to_string()).await
    }

    /// Posts anything.
    pub async fn post_raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        self.request(Method::POST, path, headers, body).await
    }

    /// Requests anything.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let gateway = self.gateway_url();
        let url = format!("{gateway}{path}");
        let mut request = self.http.request(method.clone(), url).body(body);
        // Everybody comes from an address of their own, unless a test says otherwise.
        if !headers.iter().any(|(name, _)| *name == SOURCE_IP_HEADER) {
            let address = self.address.lock().unwrap().clone();
            request = request.header(SOURCE_IP_HEADER, address.unwrap_or_else(new_address));
        }
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let begun = std::time::Instant::now();
        let request = request.build().unwrap();
        let sent = request.body().and_then(reqwest::Body::as_bytes);
        let sent = String::from_utf8_lossy(sent.unwrap_or_default()).into_owned();
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let took = begun.elapsed();
        self.settle().await;
        let answer = Answer {
            request: format!("{method} {path} {sent}"),
            status,
            headers,
            took,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        self.learn_from(&answer.body);
        answer
    }

    /// Waits until what goes on after answers is done.
    async fn settle(&self) {
        let apps: Vec<_> = {
            let (system, rollout) = (self.system.lock().unwrap(), self.rollout.lock().unwrap());
            let rolled_out = rollout.iter().flat_map(|system| system.apps.values());
            system.apps.values().chain(rolled_out).cloned().collect()
        };
        for app in apps {
            app.background.settle().await;
        }
    }

    /// The store under the functions.
    pub fn store(&self) -> Store {
        self.system.lock().unwrap().store.clone()
    }

    /// Works on a request to a function that no route leads to, as Lambda's loop would.
    pub async fn observed<T>(&self, function: &str, work: impl Future<Output = T>) -> T {
        let app = self.function_app(function);
        app.in_request(function, "direct", self.clock.now(), work)
            .await
    }

    /// Imports accounts, as an operator who invokes the function would; its report.
    pub async fn import(&self, users: Value) -> Value {
        self.try_import(users).await.unwrap()
    }

    /// The same, where the function may fail.
    pub async fn try_import(&self, users: Value) -> Result<Value, lambda_http::Error> {
        let event = serde_json::from_value(json!({ "users": users })).unwrap();
        let (function, now) = (self.function_app("import-users"), self.clock.now());
        let work = import_users::handle(function, event, now);
        let report = self.observed("import-users", work).await?;
        Ok(serde_json::to_value(report).unwrap())
    }

    /// Has an operators' function do something; what it says.
    pub async fn operate(&self, function: &str, event: Value) -> Value {
        self.try_operate(function, event).await.unwrap()
    }

    /// The same, where it may fail.
    pub async fn try_operate(
        &self,
        function: &str,
        event: Value,
    ) -> Result<Value, lambda_http::Error> {
        let (state, now) = (self.function_app(function), self.clock.now());
        let work: Pin<Box<dyn Future<Output = _> + Send>> = match function {
            "admin-read" => Box::pin(admin_read::handle(
                state,
                serde_json::from_value(event)?,
                now,
            )),
            "admin-support" => Box::pin(admin_support::handle(
                state,
                serde_json::from_value(event)?,
                now,
            )),
            "admin-data" => Box::pin(admin_data::handle(
                state,
                serde_json::from_value(event)?,
                now,
            )),
            _ => panic!("{function} is not for operators"),
        };
        self.observed(function, work).await
    }

    /// What the Lambda authorizer answers to an event.
    pub async fn authorize(&self, event: Value) -> Value {
        self.try_authorize(event).await.unwrap()
    }

    /// The same, where it may fail.
    pub async fn try_authorize(&self, event: Value) -> Result<Value, lambda_http::Error> {
        let event = serde_json::from_value(event).unwrap();
        let (function, now) = (self.function_app("authorizer"), self.clock.now());
        let work = authorizer::handle(function, event, now);
        let verdict = self.observed("authorizer", work).await?;
        Ok(serde_json::to_value(verdict).unwrap())
    }

    /// All secrets so far.
    pub fn secrets(&self) -> BTreeSet<String> {
        self.secrets.lock().unwrap().clone()
    }

    /// Remembers the tokens of an answer, and what is secret in the messages since the last.
    pub fn learn_from(&self, answer: &Value) {
        let names = ["result", "token", "access_token", "refresh_token"];
        for token in names.map(|key| answer[key].as_str()) {
            self.learn(token.unwrap_or_default());
        }
        let learnt = self.learnt.load(Ordering::Relaxed);
        let messages = self.options.inbox.messages_after(learnt);
        self.learnt
            .fetch_max(learnt + messages.len(), Ordering::Relaxed);
        for sms in messages {
            self.learn(&sms.phone);
            self.learn(sms.phone.trim_start_matches("+86"));
            self.learn(&digits_of(&sms.message));
        }
    }

    /// Remembers a secret: no log line and no table may contain it (a phone number: no log line).
    pub fn learn(&self, secret: &str) {
        if secret.len() >= 6 {
            self.secrets.lock().unwrap().insert(secret.to_owned());
        }
    }

    /// Remembers a password in both its forms: no log line and no table may contain it.
    pub fn learn_password(&self, password: &str) {
        self.learn(password);
        self.learn(&md5(password));
    }

    /// The texts sent to a phone of country 86.
    pub fn texts(&self, phone: &str) -> Vec<String> {
        let messages = self.options.inbox.to(&format!("+86{phone}"));
        messages.into_iter().map(|sms| sms.message).collect()
    }

    /// The inbox.
    pub fn inbox(&self) -> &sns::Inbox {
        &self.options.inbox
    }

    /// The code in the last text to a phone.
    pub fn last_code(&self, phone: &str) -> String {
        let texts = self.texts(phone);
        digits_of(texts.last().expect("no SMS"))
    }

    /// What the functions have logged so far.
    pub fn log_lines(&self) -> Vec<Value> {
        let lines = log::lines_of(&self.namespace).into_iter();
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }

    /// Asserts that no function has logged an error so far.
    pub fn assert_no_error_was_logged(&self) {
        for line in self.log_lines() {
            assert_ne!(line["level"], "ERROR", "{line}");
        }
    }

    /// What functions have called so far, of DynamoDB and of SNS.
    pub fn calls(&self) -> (Vec<Call>, Vec<Call>) {
        (self.dynamodb.calls(), self.sns.calls())
    }

    /// The same, and of KMS.
    pub fn all_calls(&self) -> Vec<Call> {
        let services = [&self.dynamodb, &self.sns, &self.kms];
        services.iter().flat_map(|relay| relay.calls()).collect()
    }
}

/// An address that no other request comes from.
fn new_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(u32::from_be_bytes([10, 0, 0, 0]));
    Ipv4Addr::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}
