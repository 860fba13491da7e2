//! A function that makes the SDK calls named in `CALLS` and answers a constant. `CALLS` is a list of
//! rounds: `BatchGetItem*3+UpdateItem,PutItem` is two calls at the same time, then a third one. A
//! `BatchGetItem` of three keys reads the code `READ_CODE`, the account `READ_USER` and the owner item
//! `READ_OWNER`; of two, the first two; of more, items that do not exist besides. It writes codes like the
//! one it has read.
//!
//! It runs in the environment of the function beside it and has the same clients: SNS's only if
//! `SMS_BRAND` is set. With the feature `remedies` its start opens the same connections, too.

use std::{
    collections::HashMap,
    env,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use aws_sdk_dynamodb::{
    config::{BehaviorVersion, Credentials, Region},
    types::{AttributeValue, ConditionCheck, KeysAndAttributes, Put, TransactWriteItem, Update},
};
use aws_sdk_sns::types::MessageAttributeValue;
use lambda_http::{Error, Request, service_fn};

struct Calls {
    dynamodb: aws_sdk_dynamodb::Client,
    /// Only where messages are sent.
    sns: Option<aws_sdk_sns::Client>,
    calls: Vec<String>,
    users: String,
    codes: String,
    read_user: String,
    read_owner: String,
    read_code: String,
    code: Mutex<Item>,
    marks: usize,
    made: AtomicU64,
}

type Item = HashMap<String, AttributeValue>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let region = Region::new(env::var("AWS_REGION")?);
    let credentials = Credentials::new(
        env::var("AWS_ACCESS_KEY_ID")?,
        env::var("AWS_SECRET_ACCESS_KEY")?,
        None,
        None,
        "environment",
    );
    let (dynamodb_url, sns_url) = (
        env::var("AWS_ENDPOINT_URL_DYNAMODB")?,
        env::var("AWS_ENDPOINT_URL_SNS")?,
    );
    let dynamodb = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.clone())
        .credentials_provider(credentials.clone())
        .endpoint_url(&dynamodb_url);
    let sns = aws_sdk_sns::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(credentials)
        .endpoint_url(&sns_url);
    let calls = env::var("CALLS")?.split(',').map(str::to_owned).collect();
    let sends = env::var_os("SMS_BRAND").is_some();
    #[cfg(feature = "remedies")]
    let (dynamodb, sns) = {
        let https = remedies::https()?;
        let to_dynamodb = || remedies::open(&https, &dynamodb_url);
        if sends {
            let to_sns = remedies::open(&https, &sns_url);
            tokio::join!(to_dynamodb(), to_dynamodb(), to_sns);
        } else {
            to_dynamodb().await;
        }
        let http = remedies::client(https);
        (dynamodb.http_client(http.clone()), sns.http_client(http))
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let calls = &Calls {
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
        sns: sends.then(|| aws_sdk_sns::Client::from_conf(sns.build())),
        calls,
        users: env::var("USERS_TABLE")?,
        codes: env::var("CODES_TABLE")?,
        read_user: env::var("READ_USER")?,
        read_owner: env::var("READ_OWNER")?,
        read_code: env::var("READ_CODE")?,
        code: Mutex::default(),
        marks: env::var("SENDS_PER_ADDRESS_DAY")?.parse()?,
        // No key is ever written twice, whatever other processes write.
        made: AtomicU64::new(now.as_micros().try_into()?),
    };
    lambda_http::run(service_fn(async |_: Request| {
        for round in &calls.calls {
            match round.split_once('+') {
                None => calls.make(round, "").await?,
                Some((one, other)) => {
                    let (one, other) = tokio::join!(calls.make(one, other), calls.make(other, one));
                    one.and(other)?;
                }
            }
        }
        Ok::<_, Error>(r#"{"success":true}"#)
    }))
    .await
}

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

impl Calls {
    fn key(&self) -> Item {
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        HashMap::from([("pk".to_owned(), text(format!("bare#+{n}")))])
    }

    fn item(&self) -> Item {
        let code = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        let mut item = code.clone();
        item.extend(self.key());
        item
    }

    /// Reads a code and so many items in all.
    async fn read(&self, keys: usize) -> Result<(), Error> {
        let pk = |pk: &String| HashMap::from([("pk".to_owned(), text(pk))]);
        let of_users = [&self.read_user, &self.read_owner].map(pk);
        let of_users: Vec<Item> = of_users.into_iter().take(keys - 1).collect();
        let mut of_codes = vec![pk(&self.read_code)];
        of_codes.resize_with(keys - of_users.len(), || self.key());
        let mut read = self.dynamodb.batch_get_item();
        for (table, keys) in [(&self.users, of_users), (&self.codes, of_codes)] {
            if keys.is_empty() {
                continue;
            }
            let keys = KeysAndAttributes::builder().set_keys(Some(keys));
            read = read.request_items(table, keys.consistent_read(true).build()?);
        }
        let mut items = read.send().await?.responses.unwrap_or_default();
        let code = items.remove(&self.codes).and_then(|mut codes| codes.pop());
        let code = code.ok_or("no code to read")?;
        *self.code.lock().unwrap_or_else(PoisonError::into_inner) = code;
        Ok(())
    }

    /// Makes a call, at the same time as another one.
    async fn make(&self, call: &str, beside: &str) -> Result<(), Error> {
        if let Some(keys) = call.strip_prefix("BatchGetItem*") {
            return self.read(keys.parse()?).await;
        }
        match call {
            "GetItem" => {
                let read = self
                    .dynamodb
                    .get_item()
                    .table_name(&self.codes)
                    .set_key(Some(self.key()));
                read.consistent_read(true).send().await?;
            }
            "PutItem" => {
                let put = self
                    .dynamodb
                    .put_item()
                    .table_name(&self.codes)
                    .set_item(Some(self.item()));
                put.condition_expression("attribute_not_exists(pk)")
                    .send()
                    .await?;
            }
            // A send counts its source while it reads: it shifts a rolling window of as many marks as a day
            // admits sends.
            "UpdateItem" if beside.starts_with("BatchGetItem") => {
                let mut shifts = "SET s0 = :now".to_owned();
                for n in 1..self.marks {
                    write!(shifts, ", s{n} = if_not_exists(s{}, :never)", n - 1)?;
                }
                let now = self.made.fetch_add(1, Ordering::Relaxed);
                let update = self.dynamodb.update_item().table_name(&self.codes);
                update
                    .key("pk", text("bare#source"))
                    .update_expression(shifts)
                    .expression_attribute_values(":now", AttributeValue::N(now.to_string()))
                    .expression_attribute_values(":never", AttributeValue::N("0".to_owned()))
                    .send()
                    .await?;
            }
            "UpdateItem" => {
                let update = self
                    .dynamodb
                    .update_item()
                    .table_name(&self.codes)
                    .set_key(Some(self.key()));
                let update = update.update_expression("SET v = :v");
                update
                    .expression_attribute_values(":v", AttributeValue::N("1".to_owned()))
                    .send()
                    .await?;
            }
            "TransactWriteItems" => {
                let check = ConditionCheck::builder()
                    .table_name(&self.users)
                    .set_key(Some(self.key()));
                let check = check
                    .condition_expression("attribute_not_exists(pk)")
                    .build()?;
                let put = Put::builder()
                    .table_name(&self.codes)
                    .set_item(Some(self.item()));
                let put = put
                    .condition_expression("attribute_not_exists(pk)")
                    .build()?;
                let update = Update::builder()
                    .table_name(&self.codes)
                    .set_key(Some(self.key()));
                let update = update.update_expression("SET v = :v");
                let update = update
                    .expression_attribute_values(":v", AttributeValue::N("1".to_owned()))
                    .build()?;
                let write = self.dynamodb.transact_write_items();
                write
                    .transact_items(TransactWriteItem::builder().condition_check(check).build())
                    .transact_items(TransactWriteItem::builder().put(put).build())
                    .transact_items(TransactWriteItem::builder().update(update).build())
                    .send()
                    .await?;
            }
            "Publish" => {
                let kind = MessageAttributeValue::builder()
                    .data_type("String")
                    .string_value("Transactional")
                    .build()?;
                let sns = self.sns.as_ref().ok_or("SMS_BRAND is not set")?;
                let publish = sns.publish().phone_number("+8613800138000");
                let publish =
                    publish.message("【Latchkey】登录验证码261293，5分钟内有效，请勿告诉他人");
                publish
                    .message_attributes("AWS.SNS.SMS.SMSType", kind)
                    .send()
                    .await?;
            }
            other => return Err(format!("no such call: {other}").into()),
        }
        Ok(())
    }
}

/// The same as Latchkey does, with the SDK's own HTTP client.
#[cfg(feature = "remedies")]
mod remedies {
    use std::{env, fs};

    use aws_smithy_http_client::{
        Connector,
        tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
    };
    use aws_smithy_runtime_api::client::{
        http::{HttpConnector, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::HttpRequest,
    };
    use aws_smithy_types::byte_stream::ByteStream;
    use lambda_http::Error;

    /// Trusts the benchmark's authority alone: Amazon's would not be asked here.
    pub fn https() -> Result<SharedHttpConnector, Error> {
        let mut trusted = TrustStore::empty();
        if let Ok(path) = env::var("AWS_CA_BUNDLE") {
            trusted = trusted.with_pem_certificate(fs::read(path)?);
        }
        let context = TlsContext::builder().with_trust_store(trusted).build()?;
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context)
            .build();
        Ok(SharedHttpConnector::new(connector))
    }

    pub async fn open(https: &SharedHttpConnector, url: &str) {
        if let Ok(request) = HttpRequest::get(url)
            && let Ok(answer) = https.call(request).await
        {
            let _ = ByteStream::new(answer.into_body()).collect().await;
        }
    }

    pub fn client(https: SharedHttpConnector) -> SharedHttpClient {
        http_client_fn(move |_, _| https.clone())
    }
}
