//! Reading variables. An error names the variable and never its value, which may be a secret.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::variables::{DefaultValue, SECRETS, Variable};
use crate::domain::region::Region;

/// A variable, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    variable: &'static str,
    complaint: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "environment variable {}: {}",
            self.variable, self.complaint
        )
    }
}

impl std::error::Error for ConfigError {}

impl Variable {
    pub(super) fn error(self, complaint: impl Into<String>) -> ConfigError {
        ConfigError {
            variable: self.name,
            complaint: complaint.into(),
        }
    }

    fn must_be(self, form: &str) -> ConfigError {
        self.error(format!("must be {form}"))
    }
}

/// An environment: from a name to a value.
pub(super) struct Env<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    /// What [`SECRETS`] holds.
    secrets: Map<String, Value>,
}

impl<'a> Env<'a> {
    /// The environment that `lookup` reads.
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let secrets = set(lookup(SECRETS.name)).map(|json| serde_json::from_str(&json));
        let secrets = secrets.transpose();
        let form = r#"a JSON object such as {"KEY_RING":{…}}"#;
        Ok(Self {
            lookup,
            secrets: secrets
                .map_err(|_| SECRETS.must_be(form))?
                .unwrap_or_default(),
        })
    }
    /// Whether the variable is set. An empty variable, and one of white space, counts as unset.
    pub(super) fn is_set(&self, variable: Variable) -> bool {
        self.given(variable).is_some()
    }

    fn given(&self, variable: Variable) -> Option<String> {
        let secret = || match self.secrets.get(variable.name)? {
            Value::String(text) => Some(text.clone()),
            json => Some(json.to_string()),
        };
        set((self.lookup)(variable.name)).or_else(secret)
    }

    /// The text of a variable, or its default's.
    pub(super) fn text(&self, variable: Variable) -> Option<String> {
        self.given(variable).or(match variable.default {
            DefaultValue::Text(text) => Some(text.to_owned()),
            DefaultValue::Required | DefaultValue::Unset => None,
        })
    }

    /// The text of a variable that must have one.
    pub(super) fn required(&self, variable: Variable) -> Result<String, ConfigError> {
        self.text(variable)
            .ok_or_else(|| variable.error("is not set"))
    }

    /// A value that its type parses. `form` describes it to the reader of the error.
    pub(super) fn parsed<T: FromStr>(
        &self,
        variable: Variable,
        form: &str,
    ) -> Result<T, ConfigError> {
        let parsed = self.required(variable)?.trim().parse();
        parsed.map_err(|_| variable.must_be(form))
    }

    /// A value that `parse` reads; its complaint becomes the error. `None` without a text.
    pub(super) fn read<T, Complaint: Into<String>>(
        &self,
        variable: Variable,
        parse: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Result<Option<T>, ConfigError> {
        let read = self.text(variable).map(|text| parse(&text)).transpose();
        read.map_err(|complaint| variable.error(complaint))
    }

    /// A whole number within a range.
    pub(super) fn number<T: FromStr + PartialOrd>(
        &self,
        variable: Variable,
        range: impl std::ops::RangeBounds<T>,
        form: &str,
    ) -> Result<T, ConfigError> {
        let number = self.parsed(variable, form)?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(variable.must_be(form))
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, variable: Variable) -> Result<bool, ConfigError> {
        self.parsed(variable, "true or false")
    }

    /// Names of regions, comma-separated.
    pub(super) fn regions(&self, variable: Variable) -> Result<Vec<Region>, ConfigError> {
        let list = self.text(variable).unwrap_or_default();
        let names = list.split(',').map(str::trim);
        let mut regions = Vec::new();
        for name in names.filter(|name| !name.is_empty()) {
            let named = Region::named(name);
            if named.is_empty() {
                return Err(variable.error(format!("must be {REGIONS}, comma-separated")));
            }
            regions.extend(named);
        }
        Ok(regions)
    }

    /// A JSON object by the names of regions. `form` is an example of it.
    pub(super) fn by_region<T: DeserializeOwned + Clone>(
        &self,
        variable: Variable,
        form: &str,
    ) -> Result<BTreeMap<Region, T>, ConfigError> {
        let map = serde_json::from_str(&self.required(variable)?);
        let map = map.map_err(|_| variable.error(format!("must be a JSON object such as {form}")));
        Region::spread(map?)
            .map_err(|_| variable.error(format!("the names must be {REGIONS}, as in {form}")))
    }
}

fn set(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

const REGIONS: &str =
    "calling codes (86), ISO codes (JM), or calling codes with an area code (1876)";
