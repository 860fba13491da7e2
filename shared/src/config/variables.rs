//! The one list of environment variables, with their defaults.
//!
//! `shared/README.md` describes them and `template.yaml` sets them; a test holds both to this list.

/// A variable of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is when it is not set.
    pub default: DefaultValue,
}

/// What a variable is when it is not set, or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// There is none: a function without the variable does not start.
    Required,
    /// Nothing: what the variable would switch on stays off.
    Unset,
    /// This text, read like any other value.
    Text(&'static str),
}

macro_rules! variables {
    ($($(#[$doc:meta])* $name:ident = $default:expr;)*) => {
        $(
            $(#[$doc])*
            pub const $name: Variable = Variable { name: stringify!($name), default: $default };
        )*

        /// All variables.
        pub const ALL: &[Variable] = &[$($name),*];
    };
}

use DefaultValue::{Required, Text, Unset};

variables! {
    /// The region. Lambda sets it.
    AWS_REGION = Required;
    /// The function's credentials. Lambda sets them.
    AWS_ACCESS_KEY_ID = Required;
    /// See [`AWS_ACCESS_KEY_ID`].
    AWS_SECRET_ACCESS_KEY = Required;
    /// Of temporary credentials, as Lambda's are.
    AWS_SESSION_TOKEN = Unset;
    /// A DynamoDB other than AWS's.
    AWS_ENDPOINT_URL_DYNAMODB = Unset;
    /// An SNS other than AWS's.
    AWS_ENDPOINT_URL_SNS = Unset;
    /// A KMS other than AWS's.
    AWS_ENDPOINT_URL_KMS = Unset;
    /// The region of SNS, where it is not the function's own.
    SMS_REGION = Unset;
    /// A PEM file of certificate authorities to trust beside Amazon's own.
    AWS_CA_BUNDLE = Unset;
    /// How long one attempt of a DynamoDB call may take, in milliseconds: 100 to 2500.
    DYNAMODB_ATTEMPT_MS = Text("900");
    /// The table of accounts.
    USERS_TABLE = Required;
    /// The table of codes and limits.
    CODES_TABLE = Required;
    /// The key ring, as JSON. `none` where a function makes and reads nothing secret.
    KEY_RING = Required;
    /// Variables that hold secrets, as one JSON object from name to value: what is in it need not be set by itself.
    SECRETS = Unset;
    /// The KMS keys that sign access tokens, comma-separated ids or ARNs: the first one signs, all are published.
    SIGNING_KEYS = Unset;
    /// The issuer that access tokens name: a URL.
    ISSUER = Unset;
    /// The regions served, comma-separated: calling codes without `+`, ISO codes, or calling codes with an
    /// area code.
    ALLOWED_COUNTRY_CODES = Text("86");
    /// Whether codes are sent.
    LOGIN_ENABLED = Text("true");
    /// Messages per phone and client in any 60 minutes, over all purposes.
    SENDS_PER_PHONE_HOUR = Text("5");
    /// Messages per phone and client in any 24 hours, over all purposes: at most 40.
    SENDS_PER_PHONE_DAY = Text("10");
    /// Wrong codes per phone and client in any 24 hours, over all purposes: 1 to 50.
    WRONG_CODES_PER_DAY = Text("10");
    /// Sends per source in any 60 minutes whose codes are unused; never more than in 24 hours.
    SENDS_PER_ADDRESS_HOUR = Text("30");
    /// Sends per source in any 24 hours whose codes are unused: at most 100; 0 for no limit.
    SENDS_PER_ADDRESS_DAY = Text("100");
    /// How many proxies in front of API Gateway are trusted to report the client's address.
    TRUSTED_PROXIES = Text("0");
    /// What the operator's front door adds to each request, as JSON. Requests without it get 403.
    ORIGIN_SECRET = Unset;
    /// The web origins whose pages may call the API, comma-separated.
    CORS_ORIGINS = Text("");
    /// What all messages of a day (UTC) may cost.
    DAILY_SPEND_USD = Text("50");
    /// The same for single regions: a JSON object, region to US dollars.
    DAILY_SPEND_BY_COUNTRY_USD = Text("{}");
    /// What a message to a region is counted at: a JSON object, region to US dollars.
    SMS_PRICES_USD = Text("{}");
    /// The toll-fraud guard: `off`, `observe` or `enforce`.
    FRAUD_GUARD = Text("enforce");
    /// Unused codes a day that are usual in any region.
    FRAUD_UNVERIFIED_A_DAY = Text("64");
    /// Numbers with a fixed code: `+8613800000000=123456@2027-01-01`, comma-separated.
    TEST_NUMBERS = Text("");
    /// Whether known and unknown numbers and names get the same answers.
    HIDE_UNKNOWN_USERS = Text("false");
    /// Days that a session lasts without use: 1 to 180.
    SESSION_IDLE_DAYS = Text("30");
    /// Days that a session lasts in all: 1 to 3650, and no less than without use.
    SESSION_DAYS = Text("180");
    /// Seconds that a code for a new phone number is valid: 60 to 600.
    PHONE_CHANGE_CODE_SECONDS = Text("300");
    /// The sender's name in the messages. Without it no message is sent.
    SMS_BRAND = Unset;
    /// Texts in place of the built-in ones: a JSON object, region to purpose to text.
    SMS_TEXTS = Text("{}");
    /// The most one message may cost, in US dollars.
    SMS_MAX_PRICE_USD = Text("0.20");
    /// Sender IDs: a JSON object, region to sender ID.
    SENDER_IDS = Text("{}");
    /// Regions in which a message needs a sender ID, comma-separated.
    SENDER_ID_REQUIRED = Text("");
    /// The numbers that messages come from: a JSON object, region to number, or to purpose to number.
    ORIGINATION_NUMBERS = Text("{}");
    /// What is registered with India's operators: a JSON object, region to `entityId` and
    /// `templateIds` by purpose.
    SMS_TEMPLATES = Text("{}");
    /// The domain on whose pages browsers fill the code in.
    ORIGIN_DOMAIN = Unset;
    /// Whether the old number of an account that moved gets a notice.
    NOTIFY_OLD_NUMBER = Text("true");
    /// What a password hash costs in memory, in KiB. The default and that of the passes are OWASP's
    /// first recommendation for Argon2id
    /// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
    PASSWORD_MEMORY_KIB = Text("19456");
    /// What a password hash costs in passes over the memory.
    PASSWORD_PASSES = Text("2");
    /// The CloudWatch namespace of the metrics.
    METRICS_NAMESPACE = Text("Latchkey");
    /// The least severe level that is logged: `error`, `warn`, `info`, `debug`, `trace` or `off`.
    LOG_LEVEL = Text("info");
}
