//! A transport between the functions and the local system: plain HTTP or TLS.

use std::{collections::BTreeMap, env, fs, path::Path};

use local::environment::Endpoints;
use serde_json::Value;

use crate::{
    Error,
    authority::Authority,
    relay::{AT_ONCE, Call, Delay, Relay, rounds, sequential_depth, waited},
    runtime_api::{Answered, RuntimeApi},
    samples::Cost,
};

/// The system's certificate authorities: Amazon Linux's file, then Debian's.
const SYSTEM_ROOTS: [&str; 2] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
];

/// Relays before DynamoDB, SNS and KMS.
pub struct Transport {
    dynamodb: Relay,
    sns: Relay,
    kms: Relay,
    /// The environment variables that name the trusted certificate authorities.
    pub trust: BTreeMap<String, String>,
}

impl Transport {
    /// Plain HTTP to these services.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub async fn plain(services: &Endpoints) -> Result<Self, Error> {
        Ok(Self {
            dynamodb: Relay::start(&services.dynamodb, None, AT_ONCE).await?,
            sns: Relay::start(&services.sns, None, AT_ONCE).await?,
            kms: Relay::start(&services.kms, None, AT_ONCE).await?,
            trust: BTreeMap::new(),
        })
    }

    /// Plain HTTP to these services, with this delay in SNS.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub async fn with_slow_sns(services: &Endpoints, delay: Delay) -> Result<Self, Error> {
        Ok(Self {
            sns: Relay::start(&services.sns, None, delay).await?,
            ..Self::plain(services).await?
        })
    }

    /// TLS to these services, with certificates of `authority`. Writes the lists of trusted authorities
    /// to `directory`.
    ///
    /// # Errors
    /// If no port can be listened on, or a list can't be read or written.
    pub async fn tls(
        services: &Endpoints,
        authority: &Authority,
        directory: &Path,
    ) -> Result<Self, Error> {
        let server = || Some(authority.server.clone());
        Ok(Self {
            dynamodb: Relay::start(&services.dynamodb, server(), AT_ONCE).await?,
            sns: Relay::start(&services.sns, server(), AT_ONCE).await?,
            kms: Relay::start(&services.kms, server(), AT_ONCE).await?,
            trust: trust(directory, authority)?,
        })
    }

    /// The relays' URLs.
    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            dynamodb: self.dynamodb.url(),
            sns: self.sns.url(),
            kms: self.kms.url(),
            gateway: "http://bench".to_owned(),
        }
    }

    /// Sends the running function an event. Returns its answer and the calls it made for it.
    ///
    /// # Errors
    /// If the function fails.
    pub fn invoke(&self, api: &mut RuntimeApi, event: &Value) -> Result<(Answered, Cost), Error> {
        let before = (self.dynamodb.count(), self.sns.count(), self.kms.count());
        let answered = api.invoke(event)?;
        let dynamodb = self.dynamodb.calls_since(before.0);
        let sns = self.sns.calls_since(before.1);
        let kms = self.kms.calls_since(before.2);
        let before_answer = |calls: &[Call]| -> Vec<Call> {
            let calls = calls.iter().filter(|call| call.during.1 <= answered.at);
            calls.cloned().collect()
        };
        let dynamodb_before_answer = before_answer(&dynamodb);
        let mut all_before_answer = dynamodb_before_answer.clone();
        all_before_answer.extend(before_answer(&sns));
        all_before_answer.extend(before_answer(&kms));
        let cost = Cost {
            rounds: rounds(&all_before_answer),
            dynamodb: dynamodb.len(),
            depth: sequential_depth(&dynamodb_before_answer),
            sns: sns.len(),
            waited: waited(&all_before_answer),
        };
        Ok((answered, cost))
    }
}

/// The variables by which a binary trusts the authority. `AWS_CA_BUNDLE` names the authority alone, for
/// the functions, which trust Amazon's besides. `SSL_CERT_FILE` names it with all authorities of the
/// system, for the SDK as it comes, which trusts that file only.
fn trust(directory: &Path, authority: &Authority) -> Result<BTreeMap<String, String>, Error> {
    fs::create_dir_all(directory)?;
    let bundle = directory.join("authority.pem");
    let with_system = directory.join("system.pem");
    fs::write(&bundle, &authority.pem)?;
    let from_environment = env::var("SSL_CERT_FILE").ok();
    let mut candidates = from_environment.as_deref().into_iter().chain(SYSTEM_ROOTS);
    let system_roots = candidates
        .find_map(|file| fs::read_to_string(file).ok())
        .ok_or("the system's certificate authorities are not found")?;
    fs::write(&with_system, format!("{system_roots}\n{}", authority.pem))?;
    let variable = |name: &str, file: &Path| (name.to_owned(), file.display().to_string());
    Ok([
        variable("AWS_CA_BUNDLE", &bundle),
        variable("SSL_CERT_FILE", &with_system),
    ]
    .into())
}
