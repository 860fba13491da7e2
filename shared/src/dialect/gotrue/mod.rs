//! Dialect D, "gotrue": the phone half of Supabase Auth's API, with real HTTP statuses.
//!
//! | endpoint | |
//! |---|---|
//! | `POST /auth/v1/otp` | [`otp`] |
//! | `POST /auth/v1/verify` | [`verify`] |
//! | `POST /auth/v1/token` | [`token`] |
//! | `POST /auth/v1/resend` | [`resend`] |
//! | `GET /auth/v1/user` | [`user`] |
//! | `PUT /auth/v1/user` | [`update_user`] |
//! | `DELETE /auth/v1/user` | [`delete_user`] |
//! | `GET /auth/v1/reauthenticate` | [`reauthenticate`] |
//! | `POST /auth/v1/logout` | [`logout`] |
//! | `GET /auth/v1/.well-known/…` | [`jwks`], [`discovery`] |
//! | anything else under `/auth/v1/` | [`not_here`] |

mod account;
mod exchange;
mod fields;
mod issuer;
mod not_here;
mod otp;
mod published;
mod refusal;
mod resend;
mod session;
mod token;
mod verify;

pub use account::{delete_user, logout, reauthenticate, update_user, user};
pub use not_here::not_here;
pub use otp::otp;
pub use published::{discovery, jwks};
pub use resend::resend;
pub use token::token;
pub use verify::verify;
