//! A configured function: everything that is built once per process.

use std::sync::Arc;

use crate::{
    aws::{Clients, Connections, KmsClient},
    background::Background,
    config::Config,
    domain::{phone::Phone, time::UnixMs},
    signing::Signing,
    sms::sns::Sms,
    store::{Store, ledger_cache::LedgerCache},
    telemetry::context::{self, RequestInfo},
};

/// A configured function.
#[derive(Debug)]
pub struct App {
    /// What the environment says.
    pub config: Config,
    /// The tables.
    pub store: Store,
    /// Sends messages.
    pub sms: Sms,
    /// Signs access tokens.
    pub signing: Signing,
    /// What this process remembers of the ledger.
    pub ledger_cache: LedgerCache,
    /// The work to be done after answers.
    pub background: Background,
}

impl App {
    /// Builds it. No connection is opened.
    ///
    /// # Errors
    /// A sentence about the variable that cannot be used.
    pub fn new(config: Config) -> Result<Self, String> {
        let connections = Connections::new(&config.aws, config.uses())?;
        Ok(Self::over(&connections, config))
    }

    /// Builds it over connections that may be opening meanwhile.
    pub fn over(connections: &Connections, config: Config) -> Self {
        let clients = Clients::new(&config.aws, connections);
        let kms = KmsClient::new(&config.aws, connections);
        let (users, codes) = (config.users_table.clone(), config.codes_table.clone());
        Self {
            store: Store::new(clients.dynamodb, users, codes),
            sms: Sms::new(clients.sns),
            signing: Signing::new(config.signing_keys.clone(), kms),
            ledger_cache: LedgerCache::default(),
            background: Background::default(),
            config,
        }
    }

    /// Works for a request that arrived at `now`: log lines and metrics of the work carry the
    /// function's name and the request's id.
    pub async fn in_request<T>(
        &self,
        function: &str,
        request_id: &str,
        now: UnixMs,
        work: impl Future<Output = T>,
    ) -> T {
        let request = RequestInfo {
            function: function.to_owned(),
            request_id: request_id.to_owned(),
            namespace: self.config.metrics_namespace.clone(),
            keys: self.config.keys.clone(),
        };
        context::scope(Arc::new(request), now, work).await
    }

    /// Whether a phone is a test number: its code is known beforehand, and it gets no message.
    pub(crate) fn is_test_number(&self, phone: &Phone, now: UnixMs) -> bool {
        self.config.test_numbers.code_of(phone, now).is_some()
    }

    /// Defers work until the answer has left.
    pub(crate) fn defer<Work>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> Work)
    where
        Work: Future<Output = ()> + Send + 'static,
    {
        self.background.defer(work(self.clone()));
    }
}
