//! What a function needs at hand: built once per process from its configuration.

use crate::{
    aws::Clients,
    config::{Config, SendLimits},
    keys::KeyRing,
    phone::ServedCountries,
    sms::{SmsConfig, sns::Sms},
    store::Store,
};

/// A configured function.
#[derive(Debug)]
pub struct App {
    /// The tables.
    pub store: Store,
    /// The way out for messages.
    pub sms: Sms,
    /// How messages are made.
    pub sms_config: SmsConfig,
    /// The keys.
    pub keys: KeyRing,
    /// The countries served.
    pub served: ServedCountries,
    /// Whether codes are sent at all.
    pub login_enabled: bool,
    /// How many messages a phone may be sent.
    pub send_limits: SendLimits,
}

impl App {
    /// Builds it. No connection is made.
    ///
    /// # Errors
    /// A sentence about the variable that cannot be used.
    pub fn new(config: Config) -> Result<Self, String> {
        let clients = Clients::new(&config.aws)?;
        Ok(Self {
            store: Store::new(clients.dynamodb, config.users_table, config.codes_table),
            sms: Sms::new(clients.sns),
            sms_config: config.sms,
            keys: config.keys,
            served: config.served,
            login_enabled: config.login_enabled,
            send_limits: config.send_limits,
        })
    }
}
