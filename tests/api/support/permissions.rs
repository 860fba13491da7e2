//! The permissions that template.yaml gives each function.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use local::{environment::ACCESS_KEY_ID, template::kebab_case};
use serde_yaml_ng::Value;

use super::{calls::Call, checkout::template_yaml};

/// By function, as [`Call::permissions`] writes them: `dynamodb:PutItem users`.
pub type Permissions = BTreeMap<String, BTreeSet<String>>;

/// What Lambda itself calls with a function's role, to decrypt the environment.
const OF_LAMBDA: &str = "kms:Decrypt";

/// What each function is permitted.
pub static GRANTED: LazyLock<Permissions> = LazyLock::new(|| {
    let template = template_yaml();
    let resources = template["Resources"].as_mapping().unwrap();
    let functions = resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    functions
        .map(|(id, function)| {
            let policies = function["Properties"]["Policies"].as_sequence().unwrap();
            let policies = policies.iter().map(|policy| document(policy, &template));
            let statements = policies.flat_map(|policy| policy["Statement"].as_sequence().unwrap());
            let name = kebab_case(id.as_str().unwrap());
            (name, statements.flat_map(of_statement).collect())
        })
        .collect()
});

/// Whether a function reads or writes a table.
pub fn has_tables(function: &str) -> bool {
    let mut permissions = GRANTED[function].iter();
    permissions.any(|permission| permission.starts_with("dynamodb:"))
}

/// The policy that stands here, or that `!Ref` names.
fn document<'a>(policy: &'a Value, template: &'a Value) -> &'a Value {
    let Value::Tagged(reference) = policy else {
        return policy;
    };
    assert_eq!(reference.tag, "Ref");
    let name = reference.value.as_str().unwrap();
    let managed = &template["Resources"][name]["Properties"]["PolicyDocument"];
    assert!(managed.is_mapping(), "{name} is no managed policy of ours");
    managed
}

/// `[dynamodb:PutItem]` on `!GetAtt UsersTable.Arn` is `dynamodb:PutItem users`. What is denied is not permitted.
fn of_statement(statement: &Value) -> Vec<String> {
    if statement["Effect"] == "Deny" {
        return Vec::new();
    }
    let table = table(&statement["Resource"]);
    let actions = statement["Action"].as_sequence().unwrap();
    let actions = actions.iter().map(|action| action.as_str().unwrap());
    actions
        .filter(|action| *action != OF_LAMBDA)
        .map(|action| match table {
            Some(table) => format!("{action} {}", table.to_lowercase()),
            None => action.to_owned(),
        })
        .collect()
}

/// `!GetAtt UsersTable.Arn` is `Users`, and so is `!If [MakesUsersTable, !GetAtt UsersTable.Arn, …]`.
fn table(resource: &Value) -> Option<&str> {
    let Value::Tagged(arn) = resource else {
        return None;
    };
    match &arn.value {
        Value::Sequence(choice) => table(&choice[1]),
        arn => arn.as_str()?.strip_suffix("Table.Arn"),
    }
}

/// What calls needed, by the function that made them. Those of the test itself are left out.
pub fn needed(calls: &[Call]) -> Permissions {
    let mut needed = Permissions::new();
    for call in calls.iter().filter(|call| call.caller != ACCESS_KEY_ID) {
        let of_caller = needed.entry(call.caller.clone()).or_default();
        of_caller.extend(call.permissions.iter().cloned());
    }
    needed
}

/// # Panics
/// When a function has made a call that it is not permitted in AWS.
pub fn assert_permitted(calls: &[Call]) {
    for (function, needed) in needed(calls) {
        let granted = &GRANTED[&function];
        let refused: Vec<_> = needed.difference(granted).collect();
        assert!(
            refused.is_empty(),
            "{function} calls {refused:?} without permission"
        );
    }
}
