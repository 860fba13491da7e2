//! What a function needs at hand: built once per process from its configuration.

use std::time::Duration;

use crate::{
    aws::{Clients, Connections},
    config::{Config, SendLimits},
    keys::KeyRing,
    password::Hasher,
    phone::ServedCountries,
    purpose::Purpose,
    slot::Policy,
    sms::{SmsConfig, sns::Sms},
    store::Store,
    window::Limit,
};

/// A configured function.
#[derive(Debug)]
pub struct App {
    /// What the clients of AWS connect through.
    pub connections: Connections,
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
    /// Where the metrics are found in CloudWatch.
    pub metrics_namespace: String,
    /// Whether codes are sent at all.
    pub login_enabled: bool,
    /// How many messages a phone may be sent, over all purposes.
    send_limits: SendLimits,
    /// How passwords are hashed.
    pub password_hasher: Hasher,
    /// How long a code for a new number is valid.
    phone_change_validity: Duration,
}

impl App {
    /// Builds it. No connection is made.
    ///
    /// # Errors
    /// A sentence about the variable that cannot be used.
    pub fn new(config: Config) -> Result<Self, String> {
        let clients = Clients::new(&config.aws, config.sms.brand.is_some())?;
        Ok(Self {
            connections: clients.connections,
            store: Store::new(clients.dynamodb, config.users_table, config.codes_table),
            sms: Sms::new(clients.sns),
            sms_config: config.sms,
            keys: config.keys,
            served: config.served,
            metrics_namespace: config.metrics_namespace,
            login_enabled: config.login_enabled,
            send_limits: config.send_limits,
            password_hasher: config.password_hasher,
            phone_change_validity: config.phone_change_validity,
        })
    }

    /// What a phone may be sent: so many messages an hour and a day, over all purposes; and no code for
    /// a new number within the cool-down of any message there, whoever asks (dialect C: once a minute
    /// per number).
    pub fn send_limits(&self, purpose: Purpose) -> Vec<Limit> {
        let SendLimits { hour, day } = self.send_limits;
        match purpose {
            Purpose::ChangePhone => {
                let span = self.policy(purpose).cool_down;
                vec![hour, day, Limit { events: 1, span }]
            }
            _ => vec![hour, day],
        }
    }

    /// The numbers a purpose's slots run with here.
    pub fn policy(&self, purpose: Purpose) -> Policy {
        match purpose {
            Purpose::ChangePhone => Policy {
                validity: self.phone_change_validity,
                ..purpose.policy()
            },
            _ => purpose.policy(),
        }
    }
}
