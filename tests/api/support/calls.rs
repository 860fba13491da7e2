//! The calls that functions make.

use std::{collections::BTreeSet, time::Instant};

use local::template::kebab_case;
use serde_json::Value;

/// One request that passed.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose credentials it was signed with: the function's that made it.
    pub caller: String,
    /// `PutItem`, `Publish`, …
    pub operation: String,
    /// What IAM would ask permission for: `dynamodb:PutItem users`.
    pub permissions: BTreeSet<String>,
    /// The keys of the items that it writes or checks a condition on.
    pub writes: Vec<String>,
    /// When it came in, and when its answer left.
    pub during: (Instant, Instant),
}

impl Call {
    /// What it writes, if it writes: the operation, and the kinds of its items without what tells them
    /// apart: `UpdateItem sends`, `TransactWriteItems login+sends+user`.
    pub fn write(&self) -> Option<String> {
        let kinds = self.writes.iter().map(|key| kind(key));
        let kinds: Vec<&str> = kinds.collect();
        (!kinds.is_empty()).then(|| format!("{} {}", self.operation, kinds.join("+")))
    }
}

/// `login` of `login#+8613800138001`.
pub fn kind(key: &str) -> &str {
    key.split('#').next().unwrap_or_default()
}

/// The function that signed a request, by its access key: `AWS4-HMAC-SHA256 Credential=KEY/20261120/…`.
pub fn signer(headers: &hyper::HeaderMap) -> String {
    let signature = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let credential = signature.and_then(|signature| signature.split("Credential=").nth(1));
    let key = credential.and_then(|credential| credential.split('/').next());
    kebab_case(key.unwrap_or_default())
}

/// The keys of what a `PutItem`, an `UpdateItem`, a `DeleteItem` or a transaction of them writes.
pub fn writes(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let transaction = body["TransactItems"].as_array().into_iter().flatten();
    let parts = transaction.flat_map(|item| item.as_object().into_iter().flatten());
    let parts = parts.map(|(_, part)| part);
    let keys = parts.chain([&body]).filter_map(|write| {
        let is_write = !write["Item"].is_null()
            || !write["UpdateExpression"].is_null()
            || !write["ConditionExpression"].is_null();
        let key = write["Item"]["pk"]["S"].as_str();
        let key = key.or_else(|| write["Key"]["pk"]["S"].as_str());
        key.filter(|_| is_write).map(str::to_owned)
    });
    keys.collect()
}

/// The operation, and the permissions it needs: those of its parts, for a transaction.
pub fn describe(headers: &hyper::HeaderMap, body: &[u8]) -> (String, BTreeSet<String>) {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let Some((_, operation)) = target.and_then(|target| target.split_once('.')) else {
        return ("Publish".into(), BTreeSet::from(["sns:Publish".into()]));
    };
    if target.is_some_and(|target| target.starts_with("TrentService.")) {
        return (operation.to_owned(), [format!("kms:{operation}")].into());
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let on = |action: &str, table: &str| {
        let table = table.rsplit('-').next().unwrap_or_default();
        format!("dynamodb:{action} {table}")
    };
    let permissions = match operation {
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(table, _)| on(operation, table)).collect()
        }
        "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().into_iter().flatten();
            let parts = items.flat_map(|item| item.as_object().into_iter().flatten());
            parts
                .map(|(part, of)| {
                    let action = match part.as_str() {
                        "ConditionCheck" => "ConditionCheckItem",
                        "Put" => "PutItem",
                        "Update" => "UpdateItem",
                        "Delete" => "DeleteItem",
                        other => panic!("a transaction with {other}"),
                    };
                    on(action, of["TableName"].as_str().unwrap_or_default())
                })
                .collect()
        }
        _ => BTreeSet::from([on(
            operation,
            body["TableName"].as_str().unwrap_or_default(),
        )]),
    };
    (operation.to_owned(), permissions)
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
