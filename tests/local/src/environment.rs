//! The environment variables of a function: the template's values, and local values in place of
//! those that only AWS knows.

use std::collections::BTreeMap;

use crate::{kms::KEYS, template::Function};

/// The region of the local services.
pub const REGION: &str = "us-east-1";

/// The SDK signs with this. The local services check no signature.
pub const ACCESS_KEY_ID: &str = "local";
/// See [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "local";

/// The key ring of every local system. It is public, so it must never be used in AWS. It is constant,
/// so that the data of `--data-dir` is valid after a restart. It is the same in events/, so that the
/// functions can also run beside the gateway.
pub const KEY_RING: &str = r#"{"active":"local","keys":{"local":"bGF0Y2hrZXktbG9jYWwtb25seS1ub3QtYS1zZWNyZXQtMDEyMzQ1Njc="}}"#;

/// The URLs of the services that a function calls.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// DynamoDB's URL.
    pub dynamodb: String,
    /// SNS's URL.
    pub sns: String,
    /// KMS's URL.
    pub kms: String,
    /// The gateway's URL.
    pub gateway: String,
}

/// The environment of `function`. `overrides` win over everything else.
pub fn of(
    function: &Function,
    endpoints: &Endpoints,
    overrides: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<_, _> = function
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
        .collect();
    let local = [
        ("KEY_RING", KEY_RING),
        ("AWS_REGION", REGION),
        // The endpoints check no signature. A relay recognises the function by this id. AWS's DynamoDB Local takes
        // letters and digits alone.
        ("AWS_ACCESS_KEY_ID", &function.resource),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoints.dynamodb),
        ("AWS_ENDPOINT_URL_SNS", &endpoints.sns),
        // All requests come from one address here.
        ("SENDS_PER_ADDRESS_DAY", "0"),
    ];
    environment.extend(local.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // Of the functions that sign or check tokens for others.
    let tokens = [
        ("AWS_ENDPOINT_URL_KMS", endpoints.kms.clone()),
        ("SIGNING_KEYS", KEYS[0].to_owned()),
        ("ISSUER", format!("{}/auth/v1", endpoints.gateway)),
    ];
    let tokens = tokens.into_iter();
    environment.extend(
        tokens
            .filter(|(name, _)| function.environment.contains_key(*name))
            .map(|(name, value)| (name.to_owned(), value)),
    );
    environment.extend(overrides.clone());
    environment
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn events_carry_the_same_key_ring() {
        let events = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/");
        let read = |name| fs::read_to_string(format!("{events}{name}")).expect("it is there");
        assert!(read("local.env").contains(KEY_RING));
        let json: serde_json::Value = serde_json::from_str(&read("local-env.json")).expect("JSON");
        let secrets = json["Parameters"]["SECRETS"].as_str();
        let secrets: serde_json::Value =
            serde_json::from_str(secrets.expect("text")).expect("JSON");
        let ring: serde_json::Value = serde_json::from_str(KEY_RING).expect("JSON");
        assert_eq!(secrets["KEY_RING"], ring);
    }
}
