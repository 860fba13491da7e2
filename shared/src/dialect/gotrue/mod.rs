//! Dialect D, "gotrue": the phone half of Supabase Auth's API, with real HTTP statuses. Of its endpoints there
//! are the exchange of a session token ([`exchange`]) and what is published for those who check access tokens
//! ([`published`]).

mod exchange;
mod issuer;
mod published;
mod refusal;

pub use exchange::token;
pub use published::{discovery, jwks};
