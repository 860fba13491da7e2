//! The configuration: the environment, read once and typed. An error at start names the variable that
//! is missing or malformed, before the first request.

mod aws;
mod env;
pub mod limits;
mod money;
mod sms;
pub mod variables;

use std::{sync::Arc, time::Duration};

use tracing::level_filters::LevelFilter;

use crate::{
    aws::{AwsConfig, Uses},
    domain::{
        budget::Budget,
        fraud::Guard,
        keys::KeyRing,
        origin_secret::OriginSecret,
        password::{Cost, Hasher},
        phone::ServedRegions,
        session::SessionLife,
        signing_key::SigningKeys,
        test_numbers::TestNumbers,
        user::Draws,
        web_origin::WebOrigins,
    },
    random,
    sms::SmsConfig,
};
pub use env::ConfigError;
use env::Env;
use limits::Limits;
use variables::{
    ALLOWED_COUNTRY_CODES, CODES_TABLE, CORS_ORIGINS, HIDE_UNKNOWN_USERS, ISSUER, KEY_RING,
    LOG_LEVEL, LOGIN_ENABLED, METRICS_NAMESPACE, ORIGIN_SECRET, PASSWORD_MEMORY_KIB,
    PASSWORD_PASSES, SESSION_DAYS, SESSION_IDLE_DAYS, SIGNING_KEYS, TEST_NUMBERS, TRUSTED_PROXIES,
    USERS_TABLE,
};

/// What a function reads from its environment. [`variables`] lists the variables and their defaults.
#[derive(Debug)]
pub struct Config {
    /// Where AWS is.
    pub aws: AwsConfig,
    /// `USERS_TABLE`.
    pub users_table: String,
    /// `CODES_TABLE`.
    pub codes_table: String,
    /// `KEY_RING`.
    pub keys: Arc<KeyRing>,
    /// `ALLOWED_COUNTRY_CODES`.
    pub served: ServedRegions,
    /// `LOGIN_ENABLED`.
    pub login_enabled: bool,
    /// How many messages, wrong codes and requests there may be.
    pub limits: Limits,
    /// What the messages of a day may cost.
    pub budget: Budget,
    /// The toll-fraud guard.
    pub guard: Guard,
    /// `TEST_NUMBERS`.
    pub test_numbers: TestNumbers,
    /// `ORIGIN_SECRET`. Without one, requests need not have passed a front door.
    pub origin_secret: Option<OriginSecret>,
    /// `CORS_ORIGINS`.
    pub web_origins: WebOrigins,
    /// `HIDE_UNKNOWN_USERS`.
    pub hide_unknown_users: bool,
    /// `SESSION_IDLE_DAYS`, `SESSION_DAYS`.
    pub session_life: SessionLife,
    /// `SIGNING_KEYS`.
    pub signing_keys: Option<SigningKeys>,
    /// `ISSUER`. Without one it is the API's own host name, which each request says.
    pub issuer: Option<String>,
    /// How messages are made.
    pub sms: SmsConfig,
    /// `PASSWORD_MEMORY_KIB`, `PASSWORD_PASSES`. A hash of another cost is replaced at the next login.
    pub password_hasher: Hasher,
    /// From what numbers and names are drawn. No variable sets it.
    pub draws: Draws,
    /// `METRICS_NAMESPACE`.
    pub metrics_namespace: String,
    /// `LOG_LEVEL`.
    pub log_level: LevelFilter,
}

impl Config {
    /// Which services the function calls beside DynamoDB.
    pub fn uses(&self) -> Uses {
        Uses {
            sns: self.sms.is_configured(),
            kms: self.signing_keys.is_some(),
        }
    }

    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(&|name| std::env::var(name).ok())
    }

    /// Reads an environment given as a function, as the local system has one for each Lambda function.
    ///
    /// # Errors
    /// The first variable that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let env = Env::new(lookup)?;
        let served = ServedRegions::new(env.regions(ALLOWED_COUNTRY_CODES)?);
        let sms = sms::read(&env)?;
        let budget = money::budget(&env, sms.max_price, &served)?;
        if sms.is_configured() {
            money::check_prices(&budget, sms.max_price, &served)?;
        }
        let origin_secret = env.read(ORIGIN_SECRET, OriginSecret::parse)?;
        let guard = money::guard(&env)?;
        let limits = Limits::read(&env, guard.mode)?;
        if limits.trusted_proxies > 0 && origin_secret.is_none() {
            let forged = "needs ORIGIN_SECRET: without it anybody can forge X-Forwarded-For";
            return Err(TRUSTED_PROXIES.error(forged));
        }
        let web_origins = env.read(CORS_ORIGINS, WebOrigins::parse)?;
        let test_numbers = |list: &str| TestNumbers::parse(list, &served);
        let test_numbers = env.read(TEST_NUMBERS, test_numbers)?;
        Ok(Self {
            aws: aws::read(&env)?,
            users_table: env.required(USERS_TABLE)?,
            codes_table: env.required(CODES_TABLE)?,
            keys: key_ring(&env.required(KEY_RING)?)
                .map(Arc::new)
                .map_err(|complaint| KEY_RING.error(complaint))?,
            login_enabled: env.flag(LOGIN_ENABLED)?,
            limits,
            origin_secret,
            web_origins: web_origins.unwrap_or_default(),
            budget,
            guard,
            test_numbers: test_numbers.unwrap_or_default(),
            session_life: session_life(&env)?,
            hide_unknown_users: env.flag(HIDE_UNKNOWN_USERS)?,
            signing_keys: env.read(SIGNING_KEYS, SigningKeys::parse)?,
            issuer: env.read(ISSUER, issuer)?,
            sms,
            password_hasher: password_hasher(&env)?,
            served,
            draws: Draws::USUAL,
            metrics_namespace: env.required(METRICS_NAMESPACE)?,
            log_level: env.parsed(LOG_LEVEL, "error, warn, info, debug, trace or off")?,
        })
    }
}

fn key_ring(text: &str) -> Result<KeyRing, String> {
    if text.trim() != "none" {
        return KeyRing::parse(text);
    }
    let random = random::bytes().map_err(|_| "no randomness".to_owned())?;
    Ok(KeyRing::of_nobody(&random))
}

/// The issuer is compared letter by letter, so it has one form.
fn issuer(url: &str) -> Result<String, &'static str> {
    let has_scheme = ["https://", "http://"].iter().any(|it| url.starts_with(it));
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['?', '#']);
    if has_scheme && is_plain && !url.ends_with('/') {
        Ok(url.to_owned())
    } else {
        Err("must be a URL without query and without a slash at its end")
    }
}

fn session_life(env: &Env<'_>) -> Result<SessionLife, ConfigError> {
    let idle = env.number(SESSION_IDLE_DAYS, 1..=180, "a whole number from 1 to 180")?;
    let form = "a whole number from SESSION_IDLE_DAYS to 3650";
    let total = env.number(SESSION_DAYS, idle..=3650, form)?;
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    Ok(SessionLife {
        idle: days(idle),
        total: days(total),
    })
}

fn password_hasher(env: &Env<'_>) -> Result<Hasher, ConfigError> {
    let form = "a whole number for Argon2, 65536 (64 MiB) and 10 passes at most";
    let cost = Cost {
        memory_kib: env.parsed(PASSWORD_MEMORY_KIB, form)?,
        passes: env.parsed(PASSWORD_PASSES, form)?,
    };
    let hasher = Hasher::new(cost);
    hasher.ok_or_else(|| PASSWORD_MEMORY_KIB.error(format!("must be {form}")))
}

#[cfg(test)]
mod tests;
