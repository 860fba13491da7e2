//! Latchkey's core: one-time codes by SMS, on DynamoDB and SNS.
//!
//! # The way of a request
//! 1. Lambda starts a function: [`runtime`] reads its [`Config`], builds its [`App`], opens connections.
//! 2. API Gateway sends an event; [`runtime`] gives it to the function's `handle`, with the time, if
//!    [`dialect::door`] admits it.
//! 3. `handle` has its [`dialect`] parse the body and the token into domain types.
//! 4. It calls its [`flow`], which reads everything that the decision needs from the [`store`], at once.
//! 5. Pure functions of state, time, policy and input decide: the [`domain`]'s, and `flow/send/decide.rs`.
//! 6. The [`flow`] writes the decision on condition that what was read still holds.
//! 7. A lost race goes back to step 4. A send goes out through [`sms`].
//! 8. The [`dialect`] renders the result or the error; [`telemetry`] writes a log line and the metrics.
//! 9. [`runtime`] posts the answer to Lambda, and the client has it.
//! 10. [`background`] does the work that was deferred, and [`runtime`] asks for the next event.
//!
//! # Who may import whom
//! Each wing imports only the wings in its row, and those stand above it. No two files import each
//! other, directly or through others. A test holds the code to both.
//!
//! | wing | what it is | imports |
//! |---|---|---|
//! | `domain` | decisions; pure: no I/O, no clock, no randomness | |
//! | `clock` | the system's time | `domain` |
//! | `random` | the system's randomness | `domain` |
//! | `telemetry` | the log and the metrics of a request | `domain` `clock` |
//! | `aws` | the SDK's clients, their connections and failures | `domain` `telemetry` |
//! | `signing` | signatures of access tokens, and KMS | `domain` `aws` |
//! | `sms` | texts, and SNS | `domain` `aws` |
//! | `store` | DynamoDB: items, conditions, outcomes | `domain` `random` `aws` |
//! | `config` | the environment, typed | `domain` `random` `aws` `sms` |
//! | `background` | deferred work | `clock` `telemetry` |
//! | `app` | what a function is built from | `domain` `telemetry` `aws` `signing` `sms` `store` `config` `background` |
//! | `flow` | what the endpoints do | `domain` `random` `telemetry` `sms` `store` `config` `app` |
//! | `dialect` | what the endpoints read and say | `domain` `random` `telemetry` `app` `flow` |
//! | `runtime` | the process | `domain` `clock` `telemetry` `aws` `config` `app` `dialect` |
//!
//! # Words
//! - *dialect*: one of the published APIs: A is "message", B is "systems", C is "mobile", D is "gotrue"
//! - *purpose*: what a code is for: logging in, registering, changing a password or a phone, replacing a
//!   forgotten password by phone (reset) or by name (recover), deleting the account
//! - *challenge*: one code's life, from its first send until it is spent, expired or replaced
//! - *slot*: everything of one purpose and one phone, account or name: the challenge, the cool-down, the
//!   wrong tries
//! - *ticket*: the signed `phoneInfo` that dialect A's clients carry from a send to its redemption
//! - *redeem*: to present the right code, which the write that does what the code is for also spends; a
//!   redeemed code is *used*, any other code that was sent is *unused*
//! - *reset token*: what dialect B's clients get for a code, and set a new password with
//! - *move*: a change of an account's phone; in dialect D the account keeps it *open* until its code is presented
//! - *refresh token*: what renews a session of dialect D: it names the session and counts its renewals
//! - *cool-down*: the time between two sends of one purpose
//! - *window*: so many events in so long a span, exactly
//! - *source*: where a request comes from: an IPv4 address or an IPv6 /64; its *network* is the IPv6 /56
//! - *client*: who asks, to one account: a *stranger*, a *known address* (where a code or a password of it was
//!   right lately), or a *known session* (a token of it, expired or not)
//! - *kept money*: the fifth of each cap that is for accounts that know who asks
//! - *purse*: what a message is paid from: the *common* one is each cap without the kept money, the *whole* one
//!   each cap with it
//! - *handle*: what a login with a password names its account by: a phone or a name
//! - *tag*: twelve bits that stand for a slot in the list of its source
//! - *region*: a country or territory; several can share a calling code
//! - *front door*: what an operator puts in front of the API; it adds the *origin secret* to each request
//! - *ledger*: the money that the day's messages have cost, spread over *shards*
//! - *reserve, release*: to take a message's price out of the ledger before SNS is called, and to put it
//!   back if the message was not sent
//! - *access token*: what other services accept from a session for an hour; *session token*: what Latchkey does
//! - *epoch*: a number of the account that a new password raises; sessions of an older epoch are dead
//! - *round, race*: reading, deciding and writing once; the race goes on until a round is won
//! - *hiding*: that no answer shows whether an account exists (`HIDE_UNKNOWN_USERS`)
//! - *decoy*: a challenge of which no message is sent, because its account does not exist
//! - *tombstone*: what is left of a deleted account, so that its number is never drawn again
//! - *key ring*: the root keys by id, one of them active
//! - *pseudonym*: a keyed hash that stands for a phone, a source or a slot
//! - *defer*: to leave work until the answer has left
//! - *TTL*: the moment from which DynamoDB may delete an item; it never decides anything

pub mod app;
pub mod aws;
pub mod background;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod domain;
pub mod flow;
pub mod random;
pub mod runtime;
pub mod signing;
pub mod sms;
pub mod store;
pub mod telemetry;

pub use app::App;
pub use config::Config;
