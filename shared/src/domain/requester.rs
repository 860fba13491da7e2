//! What a request says of who asks, before anything is read.

use super::{client_address::Source, token::ShownSession};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// Where the request comes from.
    pub source: Source,
    /// The session of a token of ours that it shows, expired or not. The account decides what it is worth.
    pub session: Option<ShownSession>,
}
