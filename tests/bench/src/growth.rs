//! Compares what requests consume with few and with many items in the tables. DynamoDB returns the
//! consumed capacity of each call.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use dynoxide::{AttributeValue, Database, ImportOptions, Item};
use local::{Options, System, dynamodb};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    Error,
    requests::{Requests, succeeded},
};

/// What one request consumed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Consumed {
    /// DynamoDB's operations, in alphabetical order.
    pub operations: Vec<String>,
    /// The sum of DynamoDB's read and write capacity units.
    pub units: f64,
    /// The bytes of DynamoDB's answers.
    pub read: usize,
}

type Shared = Arc<Mutex<Consumed>>;

/// A proxy before DynamoDB. It asks for the consumed capacity of each call and adds it up.
struct Meter {
    url: String,
    consumed: Shared,
}

impl Meter {
    async fn start(dynamodb: String) -> Result<Self, Error> {
        let consumed = Shared::default();
        let state = (dynamodb, reqwest::Client::new(), consumed.clone());
        let router = Router::new().fallback(measure).with_state(state);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async { axum::serve(listener, router).await });
        Ok(Self { url, consumed })
    }

    fn take(&self) -> Consumed {
        let mut consumed = std::mem::take(&mut *self.consumed.lock().unwrap());
        consumed.operations.sort();
        consumed
    }
}

async fn measure(
    State((dynamodb, client, consumed)): State<(String, reqwest::Client, Shared)>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Bytes) {
    let operation = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or_default()
        .to_owned();
    let mut request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if operation.ends_with("Item") || operation.ends_with("Items") {
        request["ReturnConsumedCapacity"] = "TOTAL".into();
    }
    let forwarded = client
        .post(dynamodb)
        .headers(forwarded_headers(&headers))
        .body(request.to_string());
    let Ok(answer) = forwarded.send().await else {
        return (StatusCode::BAD_GATEWAY, Bytes::new());
    };
    let status = answer.status();
    let mut answer: Value = match answer.bytes().await {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(_) => return (StatusCode::BAD_GATEWAY, Bytes::new()),
    };
    let capacity = answer
        .as_object_mut()
        .and_then(|answer| answer.remove("ConsumedCapacity"));
    let bytes = Bytes::from(answer.to_string());
    let mut consumed = consumed.lock().unwrap();
    consumed.operations.push(operation);
    consumed.units += units(&capacity.unwrap_or_default());
    consumed.read += bytes.len();
    (status, bytes)
}

/// The headers to pass on: all but the length, which changes, and the host.
fn forwarded_headers(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove("content-length");
    headers.remove("host");
    headers
}

/// The capacity units of one table or of a list of tables.
fn units(capacity: &Value) -> f64 {
    match capacity {
        Value::Array(tables) => tables.iter().map(units).sum(),
        one => one["CapacityUnits"].as_f64().unwrap_or_default(),
    }
}

/// Measures what a request of each function consumes with `size` accounts and `size` codes in the tables.
///
/// # Errors
/// If a part does not start or a request fails.
pub async fn run(root: &Path, size: u32) -> Result<BTreeMap<String, Consumed>, Error> {
    let database = Database::memory().map_err(|error| error.to_string())?;
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let dynamodb = dynamodb::serve(any, database.clone()).await?;
    let meter = Meter::start(dynamodb.url()).await?;
    let options = Options {
        template: root.join("template.yaml"),
        gateway_port: 0,
        sns_port: 0,
        kms_port: 0,
        dynamodb_endpoint: Some(meter.url.clone()),
        trust_source_ip_header: true,
        environment: environment(),
        ..Options::default()
    };
    let system = System::start(options).await?;
    let mut requests = Requests::new(&system);
    let sample = requests.sample().await?;
    // A request reads a random shard of the ledger. After so many sends every shard exists.
    for _ in 0..400 {
        let function = "send-register-message";
        let (body, _) = requests.prepare(function).await?;
        let path = "/v1/user/sendRegisterMessage";
        requests.post(path, &body, None).await?;
    }
    let (users, codes) = tables(&system)?;
    thread::scope(|scope| {
        let filling = scope.spawn(|| {
            fill(
                &database,
                (&users, &codes),
                (&sample.user, &sample.code),
                size,
            )
        });
        filling
            .join()
            .map_err(|_| Error::from("filling the tables panicked"))?
    })?;
    let mut costs = BTreeMap::new();
    for function in &system.template.functions {
        // What is published stands in no table.
        let route = function.routes.first();
        let Some(route) = route.filter(|route| route.method == "POST") else {
            continue;
        };
        let (body, token) = requests.prepare(&function.name).await?;
        settle(&system).await;
        meter.take();
        let answer = requests.post(&route.path, &body, token.as_deref()).await?;
        let status = if answer.is_null() { 204 } else { 200 };
        let wrapped = serde_json::json!({"statusCode": status, "body": answer.to_string()});
        if !succeeded(&wrapped) {
            return Err(format!("{}: {answer}", function.name).into());
        }
        settle(&system).await;
        costs.insert(function.name.clone(), meter.take());
    }
    Ok(costs)
}

/// Sends are counted by source, as in AWS. The spend cap and the fraud guard are so high that the
/// preparation does not reach them.
fn environment() -> BTreeMap<String, String> {
    let variables = [
        ("SENDS_PER_ADDRESS_DAY", "100"),
        ("DAILY_SPEND_USD", "100000"),
        ("FRAUD_UNVERIFIED_A_DAY", "100000"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    variables.into()
}

/// Waits for deferred work.
async fn settle(system: &System) {
    for app in system.apps.values() {
        app.background.settle().await;
    }
}

fn tables(system: &System) -> Result<(String, String), Error> {
    let name = |resource: &str| {
        let mut tables = system.template.tables.iter();
        let table = tables.find(|table| table.resource == resource);
        table.map(|table| table.name.clone()).ok_or("no table")
    };
    Ok((name("UsersTable")?, name("CodesTable")?))
}

/// Adds `size` accounts like `user`, each with the items of its phone and its name, and `size` codes
/// like `code`.
fn fill(
    database: &Database,
    (users, codes): (&str, &str),
    (user, code): (&str, &str),
    size: u32,
) -> Result<(), Error> {
    /// Items of one import. An import is atomic and in memory until it is done.
    const BATCH: u32 = 10_000;
    let failed = |error: dynoxide::DynoxideError| Error::from(error.to_string());
    let user = sample(database, users, user)?;
    let code = sample(database, codes, code)?;
    database.enable_bulk_loading().map_err(failed)?;
    let import = |table: &str, items| {
        let imported = database.import_items(table, items, ImportOptions::default());
        imported.map(drop).map_err(failed)
    };
    for first in (0..size).step_by(usize::try_from(BATCH)?) {
        let batch = first..size.min(first + BATCH);
        let accounts = batch.clone().flat_map(|n| account(&user, n));
        import(users, accounts.collect())?;
        import(
            codes,
            batch
                .map(|n| with(&code, &[("pk", format!("login#+8613{n:09}"))]))
                .collect(),
        )?;
    }
    database.disable_bulk_loading().map_err(failed)
}

/// The account number `n`: its own item, its phone's and its name's.
fn account(user: &Item, n: u32) -> [Item; 3] {
    let uid = 10_000_000 + n;
    let (name, phone) = (format!("person{n}"), format!("13{n:09}"));
    let mut account = with(
        user,
        &[
            ("pk", format!("user#{uid}")),
            ("name", name.clone()),
            ("phone", phone.clone()),
        ],
    );
    let number = AttributeValue::N(uid.to_string());
    account.insert("uid".to_owned(), number.clone());
    let owner = |pk: String| {
        let pk = ("pk".to_owned(), AttributeValue::S(pk));
        Item::from([pk, ("uid".to_owned(), number.clone())])
    };
    [
        account,
        owner(format!("phone#+86{phone}")),
        owner(format!("name#{name}")),
    ]
}

/// A copy of the item with these texts as attributes.
fn with(item: &Item, texts: &[(&str, String)]) -> Item {
    let mut item = item.clone();
    for (attribute, text) in texts {
        item.insert((*attribute).to_owned(), AttributeValue::S(text.clone()));
    }
    item
}

/// Reads an item.
fn sample(database: &Database, table: &str, pk: &str) -> Result<Item, Error> {
    let request = serde_json::json!({"TableName": table, "Key": {"pk": {"S": pk}}});
    let got = database.get_item(serde_json::from_value(request)?);
    let item = got.map_err(|error| error.to_string())?.item;
    Ok(item.ok_or("no such item")?)
}

/// The table, one row for each function.
pub fn table(costs: &BTreeMap<String, Consumed>) -> String {
    let mut table =
        String::from("| function | requests | capacity units | bytes read |\n|---|---|---|---|\n");
    for (name, cost) in costs {
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{name}` | {} | {} | {} |",
            cost.operations.len(),
            cost.units,
            cost.read
        );
    }
    table
}

/// The differences, one line each. An operation that does not read or write by key counts as one: its
/// cost would grow with the table.
pub fn differences(
    few: &BTreeMap<String, Consumed>,
    many: &BTreeMap<String, Consumed>,
) -> Vec<String> {
    const BY_KEY: [&str; 5] = [
        "BatchGetItem",
        "GetItem",
        "PutItem",
        "TransactWriteItems",
        "UpdateItem",
    ];
    let mut differences = Vec::new();
    for (name, before) in few {
        let after = &many[name];
        // Counters may have a digit more, and the request may read another shard of the ledger.
        let same_bytes = before.read.abs_diff(after.read) <= before.read / 20 + 16;
        if (&before.operations, before.units) != (&after.operations, after.units) || !same_bytes {
            differences.push(format!("{name}: {before:?} has become {after:?}"));
        }
        for operation in &after.operations {
            if !BY_KEY.contains(&operation.as_str()) {
                differences.push(format!("{name}: {operation} does not go by key"));
            }
        }
    }
    differences
}
