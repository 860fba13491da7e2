//! The four pairs of endpoints of dialect A: one sends a code, the other redeems it.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::{
    answer::Answer,
    app::TestApp,
    message::{CODE_NOT_VALID, PHONE_EXISTS, Refusal},
    people::{ANNA, ERIC, ERIC_PASSWORD, MARY, eric},
};

/// One of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    Login,
    Register,
    ChangePassword,
    ResetPassword,
}

/// The password to be.
pub const NEW: &str = "second-password";
/// The name to be.
const NAME: &str = "Anna";

impl Pair {
    /// The path that sends a code.
    pub fn send(self) -> &'static str {
        match self {
            Self::Login => "/v1/user/sendLoginMessage",
            Self::Register => "/v1/user/sendRegisterMessage",
            Self::ChangePassword => "/v1/user/sendChangePasswordMessage",
            Self::ResetPassword => "/v1/user/sendChangePasswordMessage2",
        }
    }

    /// The function behind it.
    pub fn sender(self) -> &'static str {
        match self {
            Self::Login => "send-login-message",
            Self::Register => "send-register-message",
            Self::ChangePassword => "send-change-password-message",
            Self::ResetPassword => "send-change-password-message2",
        }
    }

    /// The path that redeems it.
    pub fn redeem(self) -> &'static str {
        match self {
            Self::Login => "/v1/user/loginByMessage",
            Self::Register => "/v1/user/register",
            Self::ChangePassword => "/v1/user/changePasswordByMessage",
            Self::ResetPassword => "/v1/user/changePasswordByMessage2",
        }
    }

    /// The phone that the tests send codes to.
    pub fn phone(self) -> &'static str {
        match self {
            Self::Register => ANNA,
            Self::Login | Self::ChangePassword | Self::ResetPassword => ERIC,
        }
    }

    /// The key of its slot in the codes table.
    pub fn slot(self) -> String {
        match self {
            Self::Login => format!("login#+86{ERIC}"),
            Self::Register => format!("register#+86{ANNA}"),
            Self::ChangePassword => "change-password#5".to_owned(),
            Self::ResetPassword => format!("reset-password#+86{ERIC}"),
        }
    }

    /// What the text says that the code is for.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Login => "登录",
            Self::Register => "注册",
            Self::ChangePassword | Self::ResetPassword => "修改密码",
        }
    }

    /// How a spent code is refused: a registration has made its account by then.
    pub fn refuses_spent(self) -> Refusal {
        match self {
            Self::Register => PHONE_EXISTS,
            Self::Login | Self::ChangePassword | Self::ResetPassword => CODE_NOT_VALID,
        }
    }

    /// A body that redeems a code.
    pub fn body(self, phone_info: &Value, code: &Value, password: &Value) -> Value {
        match self {
            Self::Login => json!({"phoneInfo": phone_info, "code": code}),
            Self::Register => {
                json!({"phoneInfo": phone_info, "code": code, "name": NAME, "password": password})
            }
            Self::ChangePassword | Self::ResetPassword => {
                json!({"phoneInfo": phone_info, "code": code, "newPassword": password})
            }
        }
    }
}

/// A client of a pair, in a session where the pair needs one.
pub struct Client<'a> {
    pub app: &'a TestApp,
    pub pair: Pair,
    session: Option<RefCell<String>>,
}

impl<'a> Client<'a> {
    /// Eric, or who registers.
    pub async fn new(app: &'a TestApp, pair: Pair) -> Self {
        app.learn_password(NEW);
        let session = match pair {
            Pair::ChangePassword => Some(RefCell::new(app.session_of_eric().await)),
            Pair::Login | Pair::Register | Pair::ResetPassword => None,
        };
        Self { app, pair, session }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let session = self
            .session
            .as_ref()
            .map(|session| session.borrow().clone());
        match session {
            Some(session) => self.app.post_in_session(path, &session, body).await,
            None => self.app.post(path, body).await,
        }
    }

    /// Requests a code.
    pub async fn send(&self) -> Answer {
        let body = match self.pair {
            Pair::ChangePassword => json!({}),
            Pair::Login | Pair::Register | Pair::ResetPassword => {
                json!({"phone": self.pair.phone()})
            }
        };
        self.post(self.pair.send(), body).await
    }

    /// Requests a code that must go out; its ticket and its digits.
    pub async fn code(&self) -> (String, String) {
        let answer = self.send().await;
        let ticket = answer.result().to_owned();
        assert!(!ticket.is_empty(), "{answer:?}");
        match self.session {
            Some(_) => drop(answer.assert_ok_with_token(&json!(ticket))),
            None => answer.assert_ok(&json!(ticket)),
        }
        (ticket, self.app.last_code(self.pair.phone()))
    }

    /// Redeems a code.
    pub async fn redeem(&self, ticket: &str, code: &str) -> Answer {
        self.redeem_for(ticket, code, NEW).await
    }

    /// Redeems a code, for this password where the pair sets one.
    pub async fn redeem_for(&self, ticket: &str, code: &str, password: &str) -> Answer {
        self.app.learn_password(password);
        let body = self
            .pair
            .body(&json!(ticket), &json!(code), &json!(password));
        self.redeem_with(body).await
    }

    /// Posts this body to the endpoint that redeems.
    pub async fn redeem_with(&self, body: Value) -> Answer {
        self.post(self.pair.redeem(), body).await
    }

    /// Asserts a refusal whole, with a fresh token in a session and without a time to come back.
    #[track_caller]
    pub fn assert_refused(&self, answer: &Answer, refusal: Refusal) {
        self.assert_refused_for_now(answer, refusal);
        assert_eq!(answer.retry_after(), None, "{answer:?}");
    }

    /// The same, and when to come back, if the answer says so.
    #[track_caller]
    pub fn assert_refused_for_now(&self, answer: &Answer, refusal: Refusal) -> Option<u64> {
        match self.session {
            Some(_) => drop(answer.assert_refused_in_session(refusal)),
            None => answer.assert_refused(refusal),
        }
        answer.retry_after()
    }

    /// Asserts that a code has been redeemed: the whole answer. A session goes on with its new token.
    #[track_caller]
    pub fn assert_redeemed(&self, answer: &Answer) {
        match (self.pair, &self.session) {
            (Pair::Login, _) => drop(answer.assert_ok_with_token(&eric())),
            (Pair::Register, _) => drop(answer.assert_registered(NAME, ANNA)),
            (_, Some(session)) => {
                session.replace(answer.assert_ok_with_token(&json!(true)));
            }
            (_, None) => answer.assert_ok(&json!(true)),
        }
    }

    /// Asserts that nothing has come of the codes so far: no account, no new password.
    pub async fn assert_nothing_came_of_it(&self) {
        match self.pair {
            Pair::Login => {}
            Pair::Register => {
                assert_eq!(self.app.user_keys().await.len(), 6, "eric and mary alone")
            }
            Pair::ChangePassword | Pair::ResetPassword => {
                self.app.assert_password_of_eric(ERIC_PASSWORD, NEW).await;
            }
        }
    }

    /// A ticket of another user, for the same purpose.
    pub async fn ticket_of_another(&self) -> String {
        let app = self.app;
        let sent = match self.pair {
            Pair::Login => app.send_login_code(MARY).await,
            Pair::Register => app.send_register_code("13900139002").await,
            Pair::ResetPassword => app.send_reset_code(MARY).await,
            Pair::ChangePassword => {
                let session = app.session_of_zoe().await;
                app.send_change_password_code(&session).await
            }
        };
        assert_eq!(sent.status, 200, "{sent:?}");
        sent.result().to_owned()
    }
}
