//! Evaluates the template's values as far as possible without CloudFormation.

use std::collections::HashMap;

use serde_yaml_ng::Value;

/// What the references in a template's values refer to.
pub(super) struct Values<'a> {
    parameters: &'a Value,
    conditions: &'a Value,
    /// The local name of each table, by its logical id.
    table_names: HashMap<&'a str, &'a str>,
}

impl<'a> Values<'a> {
    pub(super) fn new(template: &'a Value, table_names: HashMap<&'a str, &'a str>) -> Self {
        Self {
            parameters: &template["Parameters"],
            conditions: &template["Conditions"],
            table_names,
        }
    }

    /// The value as text, as an environment variable holds it; `None` if only AWS knows it.
    pub(super) fn resolve(&self, value: &Value) -> Option<String> {
        let resolved = match intrinsic(value) {
            None => scalar(value),
            Some((function, argument)) => match function.as_str() {
                "Ref" => self.reference(argument.as_str()?),
                "Sub" => self.substitute(argument.as_str()?),
                "If" if self.condition(argument[0].as_str()?)? => self.resolve(&argument[1]),
                "If" => self.resolve(&argument[2]),
                _ => None,
            },
        };
        // CloudFormation replaces a dynamic reference (`{{resolve:secretsmanager:…}}`) at deployment.
        resolved.filter(|text| !text.contains("{{resolve:"))
    }

    /// A parameter's default or a table's local name.
    fn reference(&self, name: &str) -> Option<String> {
        match self.table_names.get(name) {
            Some(table_name) => Some((*table_name).to_owned()),
            None => scalar(&self.parameters[name]["Default"]),
        }
    }

    /// Replaces every `${Name}`.
    fn substitute(&self, text: &str) -> Option<String> {
        let mut parts = text.split("${");
        let mut result = parts.next()?.to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}')?;
            result += &self.reference(name)?;
            result += rest;
        }
        Some(result)
    }

    fn condition(&self, name: &str) -> Option<bool> {
        self.holds(&self.conditions[name])
    }

    fn holds(&self, condition: &Value) -> Option<bool> {
        let (function, argument) = intrinsic(condition)?;
        match function.as_str() {
            "Equals" => Some(self.resolve(&argument[0])? == self.resolve(&argument[1])?),
            "Not" => Some(!self.holds(&argument[0])?),
            _ => None,
        }
    }
}

/// The name and argument of an intrinsic function, in either form: `!Sub …` or `{"Fn::Sub": …}`.
fn intrinsic(value: &Value) -> Option<(String, &Value)> {
    match value {
        Value::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            Some((tag.trim_start_matches('!').to_owned(), &tagged.value))
        }
        Value::Mapping(mapping) if mapping.len() == 1 => {
            let (key, argument) = mapping.iter().next()?;
            let key = key.as_str()?;
            let name = key.strip_prefix("Fn::").or((key == "Ref").then_some(key));
            Some((name?.to_owned(), argument))
        }
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
