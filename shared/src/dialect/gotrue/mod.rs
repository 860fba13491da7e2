//! Dialect D, "gotrue": the phone half of Supabase Auth's API, with real HTTP statuses.
//!
//! | endpoint | |
//! |---|---|
//! | `POST /auth/v1/otp` | [`otp`] |
//! | `POST /auth/v1/verify` | [`verify`] |
//! | `POST /auth/v1/token` | [`token`] |
//! | `GET /auth/v1/user` | [`user`] |
//! | `POST /auth/v1/logout` | [`logout`] |
//! | `GET /auth/v1/.well-known/…` | [`jwks`], [`discovery`] |

mod account;
mod exchange;
mod fields;
mod issuer;
mod otp;
mod published;
mod refusal;
mod session;
mod token;
mod verify;

pub use account::{logout, user};
pub use otp::otp;
pub use published::{discovery, jwks};
pub use token::token;
pub use verify::verify;
