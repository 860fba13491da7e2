//! Dialect C, "mobile": methods named for what people do with it.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::{answer::Answer, app::TestApp};

/// The path that sends a code.
pub const VERIFY_CODE: &str = "/v1/user/verify_code";
/// The path that redeems its code.
pub const MOBILE: &str = "/v1/user/mobile";

impl TestApp {
    /// `POST /v1/user/verify_code`, for a phone of country 86.
    pub async fn send_phone_change_code(&self, session: &str, mobile: &str) -> Answer {
        let body = json!({"mcode": "+86", "mobile": mobile});
        self.post_in_session(VERIFY_CODE, session, body).await
    }

    /// Sends a code that must go out to a phone of country 86; its digits.
    pub async fn phone_change_code(&self, session: &str, mobile: &str) -> String {
        let answer = self.send_phone_change_code(session, mobile).await;
        answer.assert_c_success();
        self.last_code(mobile)
    }

    /// `POST /v1/user/mobile`, for a phone of country 86.
    pub async fn change_phone(&self, session: &str, mobile: &str, verify_code: &str) -> Answer {
        let body = json!({"mcode": "+86", "mobile": mobile, "verify_code": verify_code});
        self.post_in_session(MOBILE, session, body).await
    }

    /// Takes both steps to a phone of country 86.
    pub async fn move_to(&self, session: &str, mobile: &str) {
        let code = self.phone_change_code(session, mobile).await;
        self.change_phone(session, mobile, &code)
            .await
            .assert_c_success();
    }
}

impl Answer {
    /// Asserts a dialect-C success whole.
    #[track_caller]
    pub fn assert_c_success(&self) {
        self.assert_c(200, "success");
    }

    /// Asserts a dialect-C answer whole, one that does not pass with time: `code` is a string for a
    /// parameter's error and a number for everything else.
    #[track_caller]
    pub fn assert_c(&self, code: impl Into<Value>, msg: &str) {
        self.assert(200, json!({"code": code.into(), "msg": msg}));
        assert_eq!(self.retry_after(), None);
    }

    /// Asserts a dialect-C error whole, one that passes after these seconds.
    #[track_caller]
    pub fn assert_c_for_now(&self, code: u32, msg: &str, seconds: RangeInclusive<u64>) {
        self.assert(200, json!({"code": code, "msg": msg}));
        self.assert_retry_after(seconds);
    }
}

/// The number in the document's requests; no account has it.
pub const FREE: &str = "18518768888";
/// Another number that no account has.
pub const OTHER: &str = "13900139000";

/// The phone of an account, as dialect A tells it.
pub async fn phone_of(app: &TestApp, session: &str) -> (Value, Value) {
    let answer = app.info(session).await;
    let result = &answer.body["result"];
    (result["countryCode"].clone(), result["phone"].clone())
}
