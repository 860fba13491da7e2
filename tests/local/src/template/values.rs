//! CloudFormation's values, as far as they can be known without CloudFormation.

use serde_yaml_ng::Value;

use super::Table;

/// What references in a template's values stand for.
pub(super) struct Values<'a> {
    parameters: &'a Value,
    conditions: &'a Value,
    tables: &'a [Table],
}

impl<'a> Values<'a> {
    pub(super) fn new(template: &'a Value, tables: &'a [Table]) -> Self {
        Self {
            parameters: &template["Parameters"],
            conditions: &template["Conditions"],
            tables,
        }
    }

    /// The value as an environment variable holds it, or `None` where only AWS knows it.
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
        // A dynamic reference (`{{resolve:secretsmanager:…}}`) is read by CloudFormation as it deploys.
        resolved.filter(|text| !text.contains("{{resolve:"))
    }

    /// A parameter's default or a table's local name.
    fn reference(&self, name: &str) -> Option<String> {
        match self.tables.iter().find(|table| table.resource == name) {
            Some(table) => Some(table.name.clone()),
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

/// A function's name and argument, in either spelling: `!Sub …` or `{"Fn::Sub": …}`.
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
