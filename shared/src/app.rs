//! What a function needs at hand: built once per process from its configuration.

use std::{sync::Arc, time::Duration};

use crate::{
    aws::{Clients, Connections},
    background::Background,
    config::{Config, SendLimits},
    domain::{
        budget::Budget, fraud::Guard, keys::KeyRing, password::Hasher, phone::ServedCountries,
        purpose::Purpose, slot::Policy, test_numbers::TestNumbers, window::Limit,
    },
    flow::budget::BadNews,
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
    /// Where the metrics are found in CloudWatch.
    pub metrics_namespace: String,
    /// Whether codes are sent at all.
    pub login_enabled: bool,
    /// How many messages a phone may be sent, over all purposes.
    send_limits: SendLimits,
    /// How many unused codes a source may have asked for; empty where sources are not counted.
    pub source_limits: Vec<Limit>,
    /// How many proxies before API Gateway are believed about where a request comes from.
    pub trusted_proxies: usize,
    /// What a day's messages may cost.
    pub budget: Budget,
    /// What this process has seen of its ledger.
    pub bad_news: BadNews,
    /// The toll-fraud guard.
    pub guard: Guard,
    /// Numbers whose codes are known beforehand.
    pub test_numbers: TestNumbers,
    /// Whether nobody learns who has an account.
    pub hide_unknown_users: bool,
    /// What goes on after an answer.
    pub background: Background,
    /// How passwords are hashed.
    pub password_hasher: Hasher,
    /// How long a code for a new number is valid.
    phone_change_validity: Duration,
    /// How many wrong codes a phone and purpose has.
    wrong_codes: Limit,
}

impl App {
    /// Builds it. No connection is made.
    ///
    /// # Errors
    /// A sentence about the variable that cannot be used.
    pub fn new(config: Config) -> Result<Self, String> {
        let connections = Connections::new(&config.aws, config.sends())?;
        Ok(Self::over(&connections, config))
    }

    /// The same, over connections that may be opening meanwhile.
    pub fn over(connections: &Connections, config: Config) -> Self {
        let clients = Clients::new(&config.aws, connections);
        Self {
            store: Store::new(clients.dynamodb, config.users_table, config.codes_table),
            sms: Sms::new(clients.sns),
            sms_config: config.sms,
            keys: config.keys,
            served: config.served,
            metrics_namespace: config.metrics_namespace,
            login_enabled: config.login_enabled,
            send_limits: config.send_limits,
            source_limits: config.source_limits,
            trusted_proxies: config.trusted_proxies,
            budget: config.budget,
            bad_news: BadNews::default(),
            guard: config.guard,
            test_numbers: config.test_numbers,
            hide_unknown_users: config.hide_unknown_users,
            background: Background::default(),
            password_hasher: config.password_hasher,
            phone_change_validity: config.phone_change_validity,
            wrong_codes: config.wrong_codes,
        }
    }

    /// Leaves work for after the answer.
    pub(crate) fn after_answer<Work>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> Work)
    where
        Work: Future<Output = ()> + Send + 'static,
    {
        self.background.leave(self.clone(), work(self.clone()));
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
        let usual = purpose.policy();
        Policy {
            validity: match purpose {
                Purpose::ChangePhone => self.phone_change_validity,
                _ => usual.validity,
            },
            failures: self.wrong_codes,
            ..usual
        }
    }
}
