//! The system under test, with methods named for what people do with it.

mod calls;
pub mod dialects;
mod people;
pub mod relay;
mod secrets;
pub mod timing;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use local::{
    clock::Clock,
    dynamodb,
    gateway::SOURCE_IP_HEADER,
    sns,
    system::{Options, System},
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use shared::{
    domain::{
        password::{Cost, Hasher, Password},
        phone::Phone,
        time::UnixMs,
        user::{Name, Uid, User},
    },
    store::Created,
};

pub use people::{ANNA, md5};
use relay::{Call, Relay};

/// The user of seed 003's sample.
pub const ERIC: &str = "13800138001";
/// His password.
pub const ERIC_PASSWORD: &str = "eric-password";
/// The phone of seed 000's sample, near enough: the second demo user's.
pub const MARY: &str = "13627140483";

/// Lets DynamoDB take its time, where nothing is said about that: a small machine that does much at once
/// takes longer than the functions wait by default.
pub const PATIENT: (&str, &str) = ("DYNAMODB_ATTEMPT_MS", "2500");

/// A DynamoDB to run the tests on in place of the embedded one: AWS's DynamoDB Local, say.
const EXTERNAL_DYNAMODB: &str = "LATCHKEY_TEST_DYNAMODB";

/// Whether what is read in a batch is of one moment: DynamoDB doesn't promise it, the embedded one does so.
pub fn batches_are_snapshots() -> bool {
    std::env::var_os(EXTERNAL_DYNAMODB).is_none()
}

/// One system with tables, inbox and clock of its own, relays before DynamoDB and SNS, and eric and
/// mary as its users.
pub struct TestApp {
    system: Mutex<System>,
    options: Options,
    http: reqwest::Client,
    /// Before DynamoDB.
    pub dynamodb: Relay,
    /// Before SNS.
    pub sns: Relay,
    /// What the functions take for the time.
    pub clock: Clock,
    secrets: Mutex<BTreeSet<String>>,
    /// The messages whose secrets are among them.
    learnt: AtomicUsize,
    _services: Vec<local::server::Server>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub took: Duration,
}

/// Runs a test on a system of its own, then looks for what must not be there: a secret in a log line
/// or in a table.
pub async fn scenario(test: impl AsyncFnOnce(&TestApp)) {
    scenario_with(&[], test).await;
}

/// The same, with these variables in the functions' environment.
pub async fn scenario_with(environment: &[(&str, &str)], test: impl AsyncFnOnce(&TestApp)) {
    let app = TestApp::start(environment).await;
    let shown = secrets::ShownOnFailure;
    test(&app).await;
    drop(shown);
    app.dynamodb.mend().await;
    calls::record(&app.calls());
    secrets::assert_kept(&app).await;
}

/// The checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl TestApp {
    async fn start(environment: &[(&str, &str)]) -> Self {
        secrets::capture_logs();
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
        let (dynamodb, sns) = (
            Relay::start(dynamodb_url).await,
            Relay::start(sns_url).await,
        );
        let unique = std::process::id() as u64 * 1_000_000 + shared::clock::now().0 % 1_000_000;
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
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
            inbox,
            clock: clock.clone(),
            trust_source_ip_header: true,
            ..Options::default()
        };
        let system = System::start(options.clone()).await.unwrap();
        let app = Self {
            system: Mutex::new(system),
            options,
            http: reqwest::Client::new(),
            dynamodb,
            sns,
            clock,
            secrets: Mutex::default(),
            learnt: AtomicUsize::default(),
            _services: services,
        };
        app.create_user_with(5, "eric", ERIC, Some(ERIC_PASSWORD))
            .await;
        app.create_user(6, "mary", MARY).await;
        app
    }

    /// Deploys the functions anew, with changes to their environment; the tables stay.
    pub async fn redeploy(&self, environment: &[(&str, &str)]) {
        let mut options = self.options.clone();
        for (name, value) in environment {
            options
                .environment
                .insert((*name).to_owned(), (*value).to_owned());
        }
        let system = System::start(options).await.unwrap();
        *self.system.lock().unwrap() = system;
    }

    /// Lets time pass.
    pub fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// An account without a password, made in the store.
    pub async fn create_user(&self, uid: u64, name: &str, phone: &str) {
        self.create_user_with(uid, name, phone, None).await;
    }

    /// An account, made in the store; its password is hashed cheaply.
    pub async fn create_user_with(
        &self,
        uid: u64,
        name: &str,
        phone: &str,
        password: Option<&str>,
    ) {
        let name = Name::parse(name).unwrap();
        let created_at = UnixMs(1_532_526_039_883);
        let mut user = User::new(Uid(uid), name, Phone::from_parts("86", phone), created_at);
        user.created_ip = "::ffff:123.59.101.208".into();
        let cheap = Hasher::new(Cost {
            memory_kib: 64,
            passes: 1,
        })
        .unwrap();
        user.password = password.map(|password| {
            self.learn_password(password);
            cheap
                .hash(&Password::parse(password).unwrap(), [0; 16])
                .unwrap()
        });
        let store = self.system.lock().unwrap().store.clone();
        assert_eq!(store.create_user(&user, None).await, Ok(Created::Done));
    }

    /// Changes one attribute of an account, as an operator would in the console.
    pub async fn operator_sets(&self, uid: u64, attribute: &str, value: AttributeValue) {
        let update = self.tables().update_item();
        update
            .table_name(self.table("users"))
            .key("pk", AttributeValue::S(format!("user#{uid}")))
            .update_expression("SET #a = :v")
            .expression_attribute_names("#a", attribute)
            .expression_attribute_values(":v", value)
            .send()
            .await
            .unwrap();
    }

    /// Deletes an account's item, as an operator would in the console.
    pub async fn operator_deletes(&self, uid: u64) {
        let delete = self.tables().delete_item().table_name(self.table("users"));
        let key = AttributeValue::S(format!("user#{uid}"));
        delete.key("pk", key).send().await.unwrap();
    }

    /// What a function made of its environment.
    pub fn function_app(&self, name: &str) -> std::sync::Arc<shared::App> {
        self.system.lock().unwrap().apps[name].clone()
    }

    /// An account's item.
    pub async fn user_item(&self, uid: u64) -> BTreeMap<String, AttributeValue> {
        let get = self.tables().get_item().table_name(self.table("users"));
        let got = get
            .key("pk", AttributeValue::S(format!("user#{uid}")))
            .consistent_read(true);
        got.send()
            .await
            .unwrap()
            .item
            .unwrap_or_default()
            .into_iter()
            .collect()
    }

    /// An item of the codes table.
    pub async fn code_item(&self, pk: &str) -> BTreeMap<String, AttributeValue> {
        let get = self.tables().get_item().table_name(self.table("codes"));
        let got = get
            .key("pk", AttributeValue::S(pk.to_owned()))
            .consistent_read(true);
        got.send()
            .await
            .unwrap()
            .item
            .unwrap_or_default()
            .into_iter()
            .collect()
    }

    fn tables(&self) -> Client {
        dynamodb::client(&self.dynamodb.url())
    }

    fn table(&self, name: &str) -> String {
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

    /// Posts anything.
    pub async fn post_raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let gateway = self.system.lock().unwrap().gateway_url.clone();
        let mut request = self.http.post(format!("{gateway}{path}")).body(body);
        // Everybody comes from an address of their own, unless a test says otherwise.
        if !headers.iter().any(|(name, _)| *name == SOURCE_IP_HEADER) {
            request = request.header(SOURCE_IP_HEADER, new_address());
        }
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request = request.header(name, HeaderValue::from_str(value).unwrap());
        }
        let begun = std::time::Instant::now();
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let took = begun.elapsed();
        self.settle().await;
        let answer = Answer {
            status,
            headers,
            took,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        for token in ["result", "token"].map(|key| answer.body[key].as_str()) {
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
        answer
    }

    /// Waits until what goes on after answers is done.
    async fn settle(&self) {
        let apps: Vec<_> = {
            let system = self.system.lock().unwrap();
            system.apps.values().cloned().collect()
        };
        for app in apps {
            app.background.settle().await;
        }
    }

    /// Remembers a secret: no log line and no table may hold it (a phone number, no log line).
    pub fn learn(&self, secret: &str) {
        if secret.len() >= 6 {
            self.secrets.lock().unwrap().insert(secret.to_owned());
        }
    }

    /// `POST /v1/user/sendLoginMessage` for a phone.
    pub async fn send_login_code(&self, phone: &str) -> Answer {
        self.post("/v1/user/sendLoginMessage", json!({"phone": phone}))
            .await
    }

    /// Sends a login code that must go out; its ticket and its digits.
    pub async fn login_code(&self, phone: &str) -> (String, String) {
        let answer = self.send_login_code(phone).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let ticket = answer.body["result"].as_str().unwrap().to_owned();
        (ticket, self.last_code(phone))
    }

    /// `POST /v1/user/loginByMessage`.
    pub async fn log_in(&self, phone_info: &str, code: &str) -> Answer {
        let body = json!({"phoneInfo": phone_info, "code": code});
        self.post("/v1/user/loginByMessage", body).await
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

    /// The lines of metrics that this system's functions have written.
    pub fn metrics(&self) -> Vec<Value> {
        let namespace = self.options.table_prefix.trim_end_matches('-');
        let lines = secrets::log_lines();
        let lines = lines
            .into_iter()
            .filter(|line| line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == namespace);
        lines.collect()
    }

    /// The lines that have been logged about a phone of country 86.
    pub fn logged_about(&self, phone: &str) -> Vec<Value> {
        self.logged_with("phone_hash", &format!("+86{phone}"))
    }

    /// The lines that have been logged with the hash of this text as `field`: by any test, as all
    /// systems here hash alike.
    pub fn logged_with(&self, field: &str, text: &str) -> Vec<Value> {
        let hash = self.function_app("info").keys.pseudonym(text).to_string();
        let lines = secrets::log_lines().into_iter();
        lines.filter(|line| line[field] == hash).collect()
    }

    /// What functions have called so far, of DynamoDB and of SNS.
    pub fn calls(&self) -> (Vec<Call>, Vec<Call>) {
        (self.dynamodb.calls(), self.sns.calls())
    }
}

impl Answer {
    /// Asserts status and body whole, and the headers that every answer has.
    #[track_caller]
    pub fn assert(&self, status: u16, body: Value) {
        assert_eq!((self.status, &self.body), (status, &body), "{self:?}");
        let header = |name: &str| self.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(
            header("content-type"),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(header("cache-control"), Some("no-store"));
    }

    /// Asserts a dialect-A error whole, without a token.
    #[track_caller]
    pub fn assert_a(&self, status: u16, code: &str, message: &str) {
        let body = json!({"success": false, "message": message, "code": code, "status": status});
        self.assert(status, body);
        assert!(!self.headers.contains_key("authorization"), "{self:?}");
    }

    /// Asserts that dialect A refuses to send so soon or so much; when to come back, in seconds.
    #[track_caller]
    pub fn assert_too_frequent(&self) -> u64 {
        self.assert_a(
            400,
            "SEND_MESSAGE_FREQUENTLY",
            "Send message too frequently",
        );
        self.retry_after().expect("when to come back")
    }

    /// `Retry-After`, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        let value = self.headers.get("retry-after")?;
        Some(value.to_str().unwrap().parse().unwrap())
    }

    /// The text of `result`.
    pub fn result(&self) -> &str {
        self.body["result"].as_str().unwrap_or_default()
    }
}

/// An address that no other request comes from.
fn new_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(u32::from_be_bytes([10, 0, 0, 0]));
    Ipv4Addr::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}

/// The most calls of which each began after the one before it had been answered.
pub fn sequential_depth(calls: &[Call]) -> usize {
    let mut depth = 0;
    let mut answered = None;
    for call in calls {
        if answered.is_none_or(|answered| call.during.0 >= answered) {
            depth += 1;
            answered = Some(call.during.1);
        } else if let Some(answered) = &mut answered {
            *answered = call.during.1.min(*answered);
        }
    }
    depth
}

/// The first run of six digits that stands alone.
pub fn digits_of(text: &str) -> String {
    let runs = text.split(|c: char| !c.is_ascii_digit());
    let mut runs = runs.filter(|run| run.len() == 6);
    runs.next().unwrap_or_default().to_owned()
}
