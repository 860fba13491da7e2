//! The environment, read once and typed. A variable that is missing or malformed is named in the
//! error, at start, before the first request.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use crate::{
    domain::{
        budget::{Budget, MicroUsd},
        fraud::{Guard, Mode},
        keys::KeyRing,
        password::{Cost, DEFAULT_COST, Hasher},
        phone::{CountryCode, ServedCountries},
        test_numbers::TestNumbers,
        window::Limit,
    },
    sms::SmsConfig,
};

/// Where AWS is, and who we are there. In Lambda the environment always says; endpoints are set only
/// on a developer's machine.
#[derive(Clone)]
pub struct AwsConfig {
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, if the credentials are temporary, as they are in Lambda.
    pub session_token: Option<String>,
    /// `AWS_ENDPOINT_URL_DYNAMODB`.
    pub dynamodb_endpoint: Option<String>,
    /// `AWS_ENDPOINT_URL_SNS`.
    pub sns_endpoint: Option<String>,
    /// `AWS_CA_BUNDLE`: a PEM file of certificate authorities to trust beside Amazon's own.
    pub ca_bundle: Option<String>,
    /// `DYNAMODB_ATTEMPT_MS`, default 900, 100 to 2500: how long one of the three attempts of a
    /// DynamoDB call may take. DynamoDB answers in single-digit milliseconds; one that takes a second
    /// is not going to.
    pub dynamodb_attempt: Duration,
}

/// How many messages one phone may be sent, over all purposes.
#[derive(Debug, Clone, Copy)]
pub struct SendLimits {
    /// `SENDS_PER_PHONE_HOUR`, default 5.
    pub hour: Limit,
    /// `SENDS_PER_PHONE_DAY`, default 10, at most 40.
    pub day: Limit,
}

/// Everything a function is told by its environment.
#[derive(Debug)]
pub struct Config {
    /// Where AWS is.
    pub aws: AwsConfig,
    /// `USERS_TABLE`.
    pub users_table: String,
    /// `CODES_TABLE`.
    pub codes_table: String,
    /// `KEY_RING`.
    pub keys: KeyRing,
    /// `ALLOWED_COUNTRY_CODES`, comma-separated, default `86`.
    pub served: ServedCountries,
    /// `METRICS_NAMESPACE`, default `Latchkey`: where the metrics are found in CloudWatch.
    pub metrics_namespace: String,
    /// `LOGIN_ENABLED`, default `true`: whether codes are sent at all.
    pub login_enabled: bool,
    /// Limits per phone.
    pub send_limits: SendLimits,
    /// `WRONG_CODES_PER_DAY`, default 10, at most 50: wrong codes per phone and purpose in any 24 h.
    pub wrong_codes: Limit,
    /// `SENDS_PER_ADDRESS_HOUR`, default 30, and `SENDS_PER_ADDRESS_DAY`, default 100, the most there
    /// is: sends that one IPv4 address or IPv6 /64 may ask for whose codes are not used. 0 a day for
    /// no limits.
    pub source_limits: Vec<Limit>,
    /// `TRUSTED_PROXIES`, default 0: how many proxies stand before API Gateway.
    pub trusted_proxies: usize,
    /// `DAILY_SPEND_USD`, default 50, `DAILY_SPEND_BY_COUNTRY_USD` and `SMS_PRICES_USD`, JSON objects
    /// by country calling code: what a day's messages may cost, and what each is counted at.
    pub budget: Budget,
    /// `FRAUD_GUARD`: `off`, `observe` or `enforce`, the default; `FRAUD_UNVERIFIED_A_DAY`, default
    /// 64.
    pub guard: Guard,
    /// `TEST_NUMBERS`.
    pub test_numbers: TestNumbers,
    /// `HIDE_UNKNOWN_USERS`, default `false`: whether unknown and known numbers get the same answers.
    pub hide_unknown_users: bool,
    /// How messages are sent.
    pub sms: SmsConfig,
    /// `PASSWORD_MEMORY_KIB`, default 19456, and `PASSWORD_PASSES`, default 2: what hashing a
    /// password costs. Older hashes are made anew at the next login.
    pub password_hasher: Hasher,
    /// `PHONE_CHANGE_CODE_SECONDS`, default 300, 60 to 600: how long a code for a new number is valid
    /// (dialect C).
    pub phone_change_validity: Duration,
}

/// A variable and what is wrong with it. Never holds the value: it may be a secret.
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

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most sends a day that the store's condition has room for (an expression holds 4 KB, beside
/// three others).
const MAX_SENDS_A_DAY: usize = 40;

/// The same of a source, which is counted by an update of its own.
const MAX_SOURCE_SENDS_A_DAY: usize = 100;

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(&|name| std::env::var(name).ok())
    }

    /// Reads an environment given as a function, as the local system does for each Lambda function.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let env = Env(lookup);
        let hour = env.at_least_one("SENDS_PER_PHONE_HOUR", 5)?;
        let day = env.at_least_one("SENDS_PER_PHONE_DAY", 10)?;
        if day > MAX_SENDS_A_DAY || hour > day {
            let complaint = format!("must lie between SENDS_PER_PHONE_HOUR and {MAX_SENDS_A_DAY}");
            return Err(env.error("SENDS_PER_PHONE_DAY", complaint));
        }
        let served = ServedCountries::new(env.countries("ALLOWED_COUNTRY_CODES", "86")?);
        let sms = SmsConfig::read(&env)?;
        let budget = env.budget(&sms, &served)?;
        let guard = Guard {
            mode: env.parsed("FRAUD_GUARD", Mode::Enforce, "off, observe or enforce")?,
            usual: env.at_least_one("FRAUD_UNVERIFIED_A_DAY", 64)? as u64,
        };
        let test_numbers = env.text("TEST_NUMBERS").unwrap_or_default();
        let test_numbers = TestNumbers::parse(&test_numbers, &served)
            .map_err(|complaint| env.error("TEST_NUMBERS", complaint))?;
        Ok(Self {
            aws: AwsConfig {
                region: env.required("AWS_REGION")?,
                access_key_id: env.required("AWS_ACCESS_KEY_ID")?,
                secret_access_key: env.required("AWS_SECRET_ACCESS_KEY")?,
                session_token: env.text("AWS_SESSION_TOKEN"),
                dynamodb_endpoint: env.text("AWS_ENDPOINT_URL_DYNAMODB"),
                sns_endpoint: env.text("AWS_ENDPOINT_URL_SNS"),
                ca_bundle: env.text("AWS_CA_BUNDLE"),
                dynamodb_attempt: env.dynamodb_attempt()?,
            },
            users_table: env.required("USERS_TABLE")?,
            codes_table: env.required("CODES_TABLE")?,
            keys: KeyRing::parse(&env.required("KEY_RING")?)
                .map_err(|complaint| env.error("KEY_RING", complaint))?,
            served,
            metrics_namespace: env
                .text("METRICS_NAMESPACE")
                .unwrap_or_else(|| "Latchkey".to_owned()),
            login_enabled: env.parsed("LOGIN_ENABLED", true, "true or false")?,
            send_limits: SendLimits {
                hour: Limit {
                    events: hour,
                    span: HOUR,
                },
                day: Limit {
                    events: day,
                    span: DAY,
                },
            },
            wrong_codes: env.wrong_codes()?,
            source_limits: env.source_limits()?,
            trusted_proxies: env.parsed("TRUSTED_PROXIES", 0, "a whole number")?,
            budget,
            guard,
            test_numbers,
            hide_unknown_users: env.parsed("HIDE_UNKNOWN_USERS", false, "true or false")?,
            sms,
            password_hasher: env.hasher()?,
            phone_change_validity: env.phone_change_validity()?,
        })
    }
}

impl Config {
    /// Whether messages are sent.
    pub fn sends(&self) -> bool {
        self.sms.brand.is_some()
    }
}

/// A named environment, with the few ways of reading a variable.
pub(crate) struct Env<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Env<'_> {
    pub(crate) fn error(
        &self,
        variable: &'static str,
        complaint: impl Into<String>,
    ) -> ConfigError {
        ConfigError {
            variable,
            complaint: complaint.into(),
        }
    }

    /// The text, if there is any: an empty variable counts as unset.
    pub(crate) fn text(&self, variable: &'static str) -> Option<String> {
        (self.0)(variable).filter(|text| !text.trim().is_empty())
    }

    fn required(&self, variable: &'static str) -> Result<String, ConfigError> {
        self.text(variable)
            .ok_or_else(|| self.error(variable, "is not set"))
    }

    pub(crate) fn parsed<T: FromStr>(
        &self,
        variable: &'static str,
        default: T,
        form: &str,
    ) -> Result<T, ConfigError> {
        let Some(text) = self.text(variable) else {
            return Ok(default);
        };
        let parsed = text.trim().parse();
        parsed.map_err(|_| self.error(variable, format!("must be {form}")))
    }

    fn at_least_one(&self, variable: &'static str, default: usize) -> Result<usize, ConfigError> {
        match self.parsed(variable, default, "a whole number, 1 or more")? {
            0 => Err(self.error(variable, "must be a whole number, 1 or more")),
            n => Ok(n),
        }
    }

    fn wrong_codes(&self) -> Result<Limit, ConfigError> {
        let (variable, form) = ("WRONG_CODES_PER_DAY", "a whole number from 1 to 50");
        match self.parsed(variable, 10, form)? {
            events @ 1..=50 => Ok(Limit { events, span: DAY }),
            _ => Err(self.error(variable, format!("must be {form}"))),
        }
    }

    fn source_limits(&self) -> Result<Vec<Limit>, ConfigError> {
        let (of_hour, of_day) = ("SENDS_PER_ADDRESS_HOUR", "SENDS_PER_ADDRESS_DAY");
        let form = "a whole number, 0 to 100";
        let day: usize = self.parsed(of_day, MAX_SOURCE_SENDS_A_DAY, form)?;
        let hour = self.at_least_one(of_hour, 30.min(day.max(1)))?;
        if day == 0 {
            return Ok(Vec::new());
        }
        if day > MAX_SOURCE_SENDS_A_DAY || hour > day {
            let complaint = format!("must be 0 or lie between {of_hour} and 100");
            return Err(self.error(of_day, complaint));
        }
        let limit = |events, span| Limit { events, span };
        Ok(vec![limit(hour, HOUR), limit(day, DAY)])
    }

    fn budget(&self, sms: &SmsConfig, served: &ServedCountries) -> Result<Budget, ConfigError> {
        let form = "an amount in US dollars such as 50";
        let variable = "DAILY_SPEND_USD";
        let day = MicroUsd::of_usd(self.parsed(variable, 50.0, form)?);
        let day = day.ok_or_else(|| self.error(variable, format!("must be {form}")))?;
        let unlisted = MicroUsd::of_usd(sms.max_price_usd);
        let unlisted = unlisted
            .ok_or_else(|| self.error("SMS_MAX_PRICE_USD", "must be a number such as 0.20"))?;
        let caps = self.usd_by_country("DAILY_SPEND_BY_COUNTRY_USD", r#"{"86":20}"#)?;
        let prices = self.usd_by_country("SMS_PRICES_USD", r#"{"86":0.03}"#)?;
        Ok(Budget::new(day, caps, prices, unlisted, served.as_slice()))
    }

    fn usd_by_country(
        &self,
        variable: &'static str,
        form: &str,
    ) -> Result<BTreeMap<CountryCode, MicroUsd>, ConfigError> {
        let amounts = self.by_country::<f64>(variable, form)?.into_iter();
        let amounts = amounts.map(|(country, usd)| Some((country, MicroUsd::of_usd(usd)?)));
        let amounts: Option<_> = amounts.collect();
        amounts.ok_or_else(|| self.error(variable, "holds an amount that is none"))
    }

    fn hasher(&self) -> Result<Hasher, ConfigError> {
        let form = "a whole number that Argon2 takes";
        let cost = Cost {
            memory_kib: self.parsed("PASSWORD_MEMORY_KIB", DEFAULT_COST.memory_kib, form)?,
            passes: self.parsed("PASSWORD_PASSES", DEFAULT_COST.passes, form)?,
        };
        let hasher = Hasher::new(cost);
        hasher.ok_or_else(|| self.error("PASSWORD_MEMORY_KIB", format!("must be {form}")))
    }

    fn dynamodb_attempt(&self) -> Result<Duration, ConfigError> {
        let (variable, form) = ("DYNAMODB_ATTEMPT_MS", "a whole number from 100 to 2500");
        match self.parsed(variable, 900, form)? {
            ms @ 100..=2500 => Ok(Duration::from_millis(ms)),
            _ => Err(self.error(variable, format!("must be {form}"))),
        }
    }

    fn phone_change_validity(&self) -> Result<Duration, ConfigError> {
        let (variable, form) = ("PHONE_CHANGE_CODE_SECONDS", "a whole number from 60 to 600");
        match self.parsed(variable, 300, form)? {
            seconds @ 60..=600 => Ok(Duration::from_secs(seconds)),
            _ => Err(self.error(variable, format!("must be {form}"))),
        }
    }

    pub(crate) fn countries(
        &self,
        variable: &'static str,
        default: &str,
    ) -> Result<Vec<CountryCode>, ConfigError> {
        let list = self.text(variable).unwrap_or_else(|| default.to_owned());
        let codes = list
            .split(',')
            .map(str::trim)
            .filter(|code| !code.is_empty());
        codes
            .map(|code| {
                CountryCode::parse(code).ok_or_else(|| {
                    self.error(
                        variable,
                        "must be country calling codes without +, comma-separated",
                    )
                })
            })
            .collect()
    }

    /// A JSON object, by country calling code.
    pub(crate) fn by_country<T: serde::de::DeserializeOwned>(
        &self,
        variable: &'static str,
        form: &str,
    ) -> Result<BTreeMap<CountryCode, T>, ConfigError> {
        let wrong = || self.error(variable, format!("must be a JSON object such as {form}"));
        let Some(json) = self.text(variable) else {
            return Ok(BTreeMap::new());
        };
        let map: BTreeMap<String, T> = serde_json::from_str(&json).map_err(|_| wrong())?;
        map.into_iter()
            .map(|(country, value)| Ok((CountryCode::parse(&country).ok_or_else(wrong)?, value)))
            .collect()
    }
}

impl fmt::Debug for AwsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsConfig")
            .field("region", &self.region)
            .field("dynamodb_endpoint", &self.dynamodb_endpoint)
            .field("sns_endpoint", &self.sns_endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut env: BTreeMap<&str, &str> = BTreeMap::from([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "hidden-secret"),
            ("USERS_TABLE", "users"),
            ("CODES_TABLE", "codes"),
            (
                "KEY_RING",
                r#"{"active":"k1","k1":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}"#,
            ),
        ]);
        env.extend(changes.iter().copied());
        Config::from_lookup(&|name| env.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn defaults_are_those_of_the_readme() {
        let config = read(&[]).unwrap();
        assert_eq!(
            config.served,
            ServedCountries::new(vec![CountryCode::CHINA])
        );
        assert!(config.login_enabled);
        assert_eq!(
            (
                config.send_limits.hour.events,
                config.send_limits.day.events
            ),
            (5, 10)
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_told() {
        for (variable, value) in [
            ("AWS_REGION", ""),
            ("USERS_TABLE", " "),
            ("KEY_RING", "hidden-secret"),
            ("ALLOWED_COUNTRY_CODES", "86,hidden-secret"),
            ("LOGIN_ENABLED", "hidden-secret"),
            ("SENDS_PER_PHONE_HOUR", "0"),
            ("SENDS_PER_PHONE_DAY", "41"),
            ("SENDS_PER_PHONE_DAY", "4"),
            ("SENDER_IDS", "[]"),
            ("SMS_TEXTS", r#"{"86":{"no-purpose":"x"}}"#),
            ("SMS_MAX_PRICE_USD", "hidden-secret"),
            ("NOTIFY_OLD_NUMBER", "hidden-secret"),
            ("PASSWORD_MEMORY_KIB", "1"),
            ("PASSWORD_PASSES", "hidden-secret"),
            ("PHONE_CHANGE_CODE_SECONDS", "59"),
            ("PHONE_CHANGE_CODE_SECONDS", "601"),
            ("DYNAMODB_ATTEMPT_MS", "99"),
            ("DYNAMODB_ATTEMPT_MS", "2501"),
            ("SENDS_PER_ADDRESS_HOUR", "101"),
            ("SENDS_PER_ADDRESS_DAY", "101"),
            ("WRONG_CODES_PER_DAY", "0"),
            ("WRONG_CODES_PER_DAY", "51"),
            ("TRUSTED_PROXIES", "hidden-secret"),
            ("DAILY_SPEND_USD", "-1"),
            ("DAILY_SPEND_BY_COUNTRY_USD", r#"{"86":-1}"#),
            ("SMS_PRICES_USD", "hidden-secret"),
            ("FRAUD_GUARD", "hidden-secret"),
            ("FRAUD_UNVERIFIED_A_DAY", "0"),
            ("TEST_NUMBERS", "+8613800000000=123456"),
            ("HIDE_UNKNOWN_USERS", "hidden-secret"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable), "{error}");
            assert!(!error.contains("hidden-secret"), "{error}");
        }
    }

    #[test]
    fn printing_the_configuration_shows_no_secret() {
        let printed = format!("{:?}", read(&[]).unwrap());
        assert!(
            !printed.contains("hidden-secret") && !printed.contains("QUFB"),
            "{printed}"
        );
    }
}
