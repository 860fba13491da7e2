//! Reading variables. An error names the variable and never its value, which may be a secret.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::de::DeserializeOwned;

use super::variables::{DefaultValue, Variable};
use crate::domain::phone::CountryCode;

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
}

/// An environment: from a name to a value.
pub(super) struct Env<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl Env<'_> {
    /// Whether the variable is set. An empty variable, and one of white space, counts as unset.
    pub(super) fn is_set(&self, variable: Variable) -> bool {
        self.given(variable).is_some()
    }

    fn given(&self, variable: Variable) -> Option<String> {
        (self.0)(variable.name).filter(|text| !text.trim().is_empty())
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
        parsed.map_err(|_| variable.error(format!("must be {form}")))
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
            Err(variable.error(format!("must be {form}")))
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, variable: Variable) -> Result<bool, ConfigError> {
        self.parsed(variable, "true or false")
    }

    /// Country calling codes, comma-separated.
    pub(super) fn countries(&self, variable: Variable) -> Result<Vec<CountryCode>, ConfigError> {
        let list = self.text(variable).unwrap_or_default();
        let codes = list.split(',').map(str::trim);
        let codes = codes
            .filter(|code| !code.is_empty())
            .map(CountryCode::parse);
        codes.collect::<Option<_>>().ok_or_else(|| {
            variable.error("must be country calling codes without +, comma-separated")
        })
    }

    /// A JSON object by country calling code. `form` is an example of it.
    pub(super) fn by_country<T: DeserializeOwned>(
        &self,
        variable: Variable,
        form: &str,
    ) -> Result<BTreeMap<CountryCode, T>, ConfigError> {
        let wrong = || variable.error(format!("must be a JSON object such as {form}"));
        let map: BTreeMap<String, T> =
            serde_json::from_str(&self.required(variable)?).map_err(|_| wrong())?;
        map.into_iter()
            .map(|(country, value)| Ok((CountryCode::parse(&country).ok_or_else(wrong)?, value)))
            .collect()
    }
}
