//! What clients do at the endpoints: every function, and every way in which it writes.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    app::{DAY, TestApp},
    codes::wrong,
    fault::sns_error,
    gotrue::{LOGOUT, OTP, REAUTHENTICATE, TOKEN},
    person::Person,
};

/// What a client does at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// The function behind it.
    pub function: &'static str,
    pub manner: Manner,
}

/// How the client does it, or what happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// All is right.
    Right,
    /// The right old password comes along.
    WithOldPassword,
    /// No account has the number.
    NewNumber,
    /// The grant is a password.
    ByPassword,
    /// The grant is a refresh token.
    ByRefreshToken,
    /// It is about moving to a phone that no account has.
    Moving,
    /// A password is set.
    WithPassword,
    /// A password is set in an old session, with a nonce.
    WithNonce,
    WrongCode,
    WrongPassword,
    /// The session has not been used for a day.
    NextDay,
    /// It is about all sessions.
    Everywhere,
    /// Users are hidden, and no message may be sent: the account is missing, or it is there already.
    Decoy,
    /// SNS refuses the message.
    SmsRefused,
    /// Whether SNS has taken the message is unknown.
    SmsUnsure,
}

/// The functions that send a code.
pub const SENDERS: [&str; 10] = [
    "send-login-message",
    "send-register-message",
    "send-change-password-message",
    "send-change-password-message2",
    "send-verification-code",
    "verify-code",
    "auth-otp",
    "send-delete-message",
    "auth-reauthenticate",
    "auth-resend",
];

/// The functions that redeem it, in the same order.
pub const REDEEMERS: [&str; 8] = [
    "login-by-message",
    "register",
    "change-password-by-message",
    "change-password-by-message2",
    "make-sure-verification-code",
    "mobile",
    "auth-verify",
    "delete-by-message",
];

/// The functions with another work.
const OTHERS: [&str; 17] = [
    "admin-data",
    "admin-read",
    "admin-support",
    "login",
    "info",
    "logout",
    "auth-delete-user",
    "auth-logout",
    "auth-token",
    "auth-update-user",
    "auth-user",
    "authorizer",
    "change-password",
    "change-name",
    "change-name-and-get",
    "changepasswd",
    "import-users",
];

/// Acts where users are hidden.
pub fn hidden() -> Vec<Act> {
    let of = |manner| move |function| Act { function, manner };
    let decoys = ["send-login-message", "send-register-message"];
    let decoys = decoys.into_iter();
    let decoys = decoys.chain(["send-change-password-message2", "send-verification-code"]);
    let mut acts: Vec<Act> = SENDERS.map(of(Manner::Right)).into();
    acts.extend(decoys.map(of(Manner::Decoy)));
    acts.extend(["login", "login-by-message"].map(of(Manner::Right)));
    acts.push(of(Manner::WrongPassword)("login"));
    acts
}

/// All acts where users are not hidden. Together they make every write that an endpoint makes, but for those
/// of kept money.
pub fn all() -> Vec<Act> {
    let of = |manner| move |function| Act { function, manner };
    let functions = SENDERS.into_iter().chain(REDEEMERS).chain(OTHERS);
    let mut acts: Vec<Act> = functions.map(of(Manner::Right)).collect();
    for manner in [Manner::SmsRefused, Manner::SmsUnsure] {
        acts.extend(SENDERS.map(of(manner)));
    }
    acts.extend(REDEEMERS.map(of(Manner::WrongCode)));
    acts.extend(["login", "change-password"].map(of(Manner::WrongPassword)));
    acts.extend(["auth-otp", "auth-verify"].map(of(Manner::NewNumber)));
    acts.extend(
        [Manner::ByPassword, Manner::ByRefreshToken].map(|manner| Act {
            function: "auth-token",
            manner,
        }),
    );
    acts.extend(["auth-update-user", "auth-verify", "auth-resend"].map(of(Manner::Moving)));
    acts.extend([Manner::WithPassword, Manner::WithNonce].map(|manner| Act {
        function: "auth-update-user",
        manner,
    }));
    acts.push(of(Manner::NextDay)("info"));
    acts.push(of(Manner::Everywhere)("auth-logout"));
    acts.push(of(Manner::SmsRefused)("mobile"));
    acts.extend(
        [Manner::WithOldPassword, Manner::WrongPassword].map(|manner| Act {
            function: "change-password-by-message",
            manner,
        }),
    );
    acts
}

/// An act of a person, prepared up to its request.
pub struct Prepared<'a> {
    app: &'a TestApp,
    act: Act,
    person: Person,
    session: String,
    ticket: String,
    code: String,
}

/// What an answer says: its status, `code` and `msg`.
pub type Said = (u16, Value, Value);

impl Act {
    /// Whether its answer is a success.
    pub fn succeeds(self) -> bool {
        match self.manner {
            Manner::Right
            | Manner::WithOldPassword
            | Manner::NewNumber
            | Manner::ByPassword
            | Manner::ByRefreshToken
            | Manner::Moving
            | Manner::WithPassword
            | Manner::WithNonce
            | Manner::NextDay
            | Manner::Everywhere
            | Manner::Decoy => true,
            // The account has moved; the notice is sent after the answer.
            Manner::SmsRefused => self.function == "mobile",
            Manner::WrongCode | Manner::WrongPassword | Manner::SmsUnsure => false,
        }
    }

    /// Whether it reserves the price of a message.
    pub fn reserves(self) -> bool {
        let moves = self.manner == Manner::Moving && self.function != "auth-resend";
        self.function == "mobile" || SENDERS.contains(&self.function) || moves
    }

    /// Does all that comes before the request.
    pub async fn prepare<'a>(self, app: &'a TestApp, person: Person) -> Prepared<'a> {
        let mut prepared = Prepared {
            app,
            act: self,
            person,
            session: String::new(),
            ticket: String::new(),
            code: String::new(),
        };
        let Person { name, phone, .. } = &prepared.person;
        let in_session = [
            "send-change-password-message",
            "change-password-by-message",
            "send-delete-message",
            "delete-by-message",
            "verify-code",
            "mobile",
            "info",
            "logout",
            "auth-token",
            "auth-user",
            "authorizer",
            "change-password",
            "change-name",
            "change-name-and-get",
        ];
        let has_grant = [Manner::ByPassword, Manner::ByRefreshToken].contains(&self.manner);
        if in_session.contains(&self.function) && !has_grant {
            prepared.session = app.session_of(name, &prepared.person.password).await;
        }
        if self.manner == Manner::NextDay {
            app.wait(DAY);
        }
        let mut pairs = SENDERS.iter().zip(REDEEMERS);
        let pair = pairs.find(|(_, redeemer)| *redeemer == self.function);
        if let Some((sender, _)) = pair.filter(|_| self.manner != Manner::Moving) {
            let sent = prepared.request(sender).await;
            prepared.ticket = sent.result().to_owned();
            let to_free =
                ["register", "mobile"].contains(&self.function) || self.manner == Manner::NewNumber;
            let phone = if to_free {
                &prepared.person.free
            } else {
                phone
            };
            prepared.code = app.last_code(phone);
        }
        if ["authorizer", "auth-user"].contains(&self.function) {
            prepared.ticket = app.access_token(&prepared.session).await;
        }
        if self.manner == Manner::ByRefreshToken {
            let session = app.signed_in(&format!("86{phone}")).await;
            prepared.ticket = session["refresh_token"].as_str().unwrap().to_owned();
        }
        if self.function == "changepasswd" {
            prepared.ticket = app.reset_token(name, phone).await;
        }
        if self.manner == Manner::WrongCode {
            prepared.code = wrong(&prepared.code, 0);
        }
        let in_dialect_d = [
            "auth-delete-user",
            "auth-logout",
            "auth-update-user",
            "auth-reauthenticate",
            "auth-verify",
            "auth-resend",
        ];
        if in_dialect_d.contains(&self.function) && self.manner != Manner::NewNumber {
            prepared.prepare_dialect_d().await;
        }
        prepared
    }
}

impl Prepared<'_> {
    /// Signs in, asks for what the act is about, and waits until it can be sent again.
    async fn prepare_dialect_d(&mut self) {
        let (app, act) = (self.app, self.act);
        let Person { phone, free, .. } = &self.person;
        let (phone, free) = (format!("86{phone}"), format!("86{free}"));
        if act.function == "auth-verify" && act.manner != Manner::Moving {
            return;
        }
        let mut session = app.signed_in(&phone).await;
        if act.manner == Manner::WithNonce {
            app.wait(DAY);
            let newest = session["refresh_token"].as_str().unwrap();
            session = app.refresh(newest).await.body;
        }
        self.ticket = session["access_token"].as_str().unwrap().to_owned();
        match (act.function, act.manner) {
            ("auth-update-user", Manner::WithNonce) => {
                self.code = app.nonce(&self.ticket, &phone).await;
            }
            ("auth-delete-user", _) => {
                self.code = app.deletion_nonce(&self.ticket, &phone).await;
            }
            ("auth-verify" | "auth-resend", Manner::Moving) => {
                let asked = app.update_user(&self.ticket, json!({"phone": free})).await;
                assert_eq!(asked.status, 200, "{asked:?}");
                self.code = app.last_code(&free[2..]);
                app.wait(60);
            }
            ("auth-resend", _) => {
                app.wait(60);
                app.otp_code(&phone).await;
                app.wait(60);
            }
            _ => {}
        }
    }

    /// Makes the request, with SNS as the act wants it.
    pub async fn perform(&self) -> Said {
        let sns = &self.app.sns;
        match self.act.manner {
            Manner::SmsRefused => sns.break_it(sns_error(400, "OptedOut")),
            Manner::SmsUnsure => sns.break_it(sns_error(500, "InternalError")),
            _ => {}
        }
        let said = match self.act.function {
            "import-users" => self.import().await,
            "admin-read" => self.operate(json!({"find": self.named()})).await,
            "admin-support" => self.operate(json!({"unblock": self.named()})).await,
            "admin-data" => self.operate(json!({"delete": self.named()})).await,
            "authorizer" => self.authorize().await,
            function => said(&self.request(function).await),
        };
        sns.mend().await;
        said
    }

    async fn request(&self, function: &str) -> Answer {
        let Self {
            app,
            person,
            session,
            ticket,
            code,
            ..
        } = self;
        let Person {
            name, phone, free, ..
        } = person;
        let new = "Wachtwoord42";
        let own_or_free = match self.act.manner {
            Manner::NewNumber | Manner::Moving => format!("86{free}"),
            _ => format!("86{phone}"),
        };
        if self.act.manner == Manner::Decoy {
            return match function {
                "send-login-message" => app.send_login_code(free).await,
                "send-register-message" => app.send_register_code(phone).await,
                "send-change-password-message2" => app.send_reset_code(free).await,
                _ => app.send_verification_code(name, free).await,
            };
        }
        match function {
            "send-login-message" => app.send_login_code(phone).await,
            "send-register-message" => app.send_register_code(free).await,
            "send-change-password-message" => app.send_change_password_code(session).await,
            "send-change-password-message2" => app.send_reset_code(phone).await,
            "send-verification-code" => app.send_verification_code(name, phone).await,
            "verify-code" => app.send_phone_change_code(session, free).await,
            "login-by-message" => app.log_in(ticket, code).await,
            "register" => {
                let name = format!("new-{name}");
                app.register(ticket, code, &name, new).await
            }
            "change-password-by-message" => {
                let sent = (ticket.clone(), code.clone());
                match self.act.manner {
                    Manner::WithOldPassword => {
                        let old = &person.password;
                        app.change_password_from(old, session, &sent, new).await
                    }
                    Manner::WrongPassword => {
                        let old = "a-wrong-password";
                        app.change_password_from(old, session, &sent, new).await
                    }
                    _ => app.change_password(session, ticket, code, new).await,
                }
            }
            "send-delete-message" => app.send_delete_code(session).await,
            "delete-by-message" => app.delete(session, ticket, code).await,
            "change-password-by-message2" => app.reset_password(ticket, code, new).await,
            "make-sure-verification-code" => app.make_sure(name, code).await,
            "mobile" => app.change_phone(session, free, code).await,
            "login" if self.act.manner == Manner::WrongPassword => {
                app.log_in_with_password(name, "a-wrong-password").await
            }
            "login" => app.log_in_with_password(name, &person.password).await,
            "info" => app.info(session).await,
            "logout" => app.log_out(session).await,
            "auth-otp" => app.sdk_post(OTP, json!({"phone": own_or_free})).await,
            "auth-verify" if self.act.manner == Manner::Moving => {
                app.verify_move(ticket, &own_or_free, code).await
            }
            "auth-verify" => app.verify(&own_or_free, code).await,
            "auth-resend" => {
                let kind = match self.act.manner {
                    Manner::Moving => "phone_change",
                    _ => "sms",
                };
                app.resend(kind, &own_or_free).await
            }
            "auth-reauthenticate" => app.sdk(Method::GET, REAUTHENTICATE, ticket, "").await,
            "auth-update-user" => {
                let changes = match self.act.manner {
                    Manner::Moving => json!({"phone": own_or_free}),
                    Manner::WithPassword => json!({"password": new}),
                    Manner::WithNonce => json!({"password": new, "nonce": code}),
                    _ => json!({"data": {"a": 1}}),
                };
                app.update_user(ticket, changes).await
            }
            "auth-user" => app.user(ticket).await,
            "auth-delete-user" => app.delete_user(ticket, json!({"nonce": code})).await,
            "auth-logout" => {
                let scope = match self.act.manner {
                    Manner::Everywhere => "global",
                    _ => "others",
                };
                let path = format!("{LOGOUT}?scope={scope}");
                app.sdk(Method::POST, &path, ticket, "").await
            }
            "auth-token" if self.act.manner == Manner::ByRefreshToken => app.refresh(ticket).await,
            "auth-token" if self.act.manner == Manner::ByPassword => {
                let body = json!({"phone": own_or_free, "password": person.password});
                app.sdk_post(&format!("{TOKEN}?grant_type=password"), body)
                    .await
            }
            "auth-token" => app.exchange(session).await,
            "change-password" if self.act.manner == Manner::WrongPassword => {
                app.change_known_password(session, "a-wrong-password", new)
                    .await
            }
            "change-password" => {
                let old = &person.password;
                app.change_known_password(session, old, new).await
            }
            "change-name" | "change-name-and-get" => {
                let path = match function {
                    "change-name" => "/v1/user/changeName",
                    _ => "/v1/user/changeNameAndGet",
                };
                let name = json!({"name": format!("new-{name}")});
                app.post_in_session(path, session, name).await
            }
            "changepasswd" => app.change_passwd(name, ticket, new).await,
            _ => panic!("no request for {function}"),
        }
    }

    async fn authorize(&self) -> Said {
        let event = json!({"identitySource": [format!("Bearer {}", self.ticket)]});
        match self.app.try_authorize(event).await {
            Ok(verdict) if verdict["isAuthorized"] == true => (200, Value::Null, Value::Null),
            Ok(verdict) => panic!("{verdict}"),
            Err(_) => (500, json!("INTERNAL_SERVER_ERROR"), Value::Null),
        }
    }

    fn named(&self) -> Value {
        json!({"phone": format!("+86{}", self.person.phone)})
    }

    async fn operate(&self, event: Value) -> Said {
        match self.app.try_operate(self.act.function, event).await {
            Ok(said) if said["done"] == true => (200, Value::Null, Value::Null),
            Ok(said) => panic!("{said}"),
            Err(_) => (500, json!("INTERNAL_SERVER_ERROR"), Value::Null),
        }
    }

    async fn import(&self) -> Said {
        let user = json!({"name": format!("new-{}", self.person.name), "phone": self.person.free});
        match self.app.try_import(json!([user])).await {
            Ok(report) if report["created"] == 1 => (200, Value::Null, Value::Null),
            Ok(report) => panic!("{report}"),
            Err(_) => (500, json!("INTERNAL_SERVER_ERROR"), Value::Null),
        }
    }
}

/// What an answer says.
fn said(answer: &Answer) -> Said {
    let body = &answer.body;
    (answer.status, body["code"].clone(), body["msg"].clone())
}

/// Whether an answer is a success of its dialect.
pub fn is_success((status, code, _): &Said) -> bool {
    [200, 204].contains(status) && [json!("OK"), json!(0), json!(200), Value::Null].contains(code)
}

/// Whether an answer is the internal error of its dialect.
pub fn is_internal_error((_, code, msg): &Said) -> bool {
    *code == "INTERNAL_SERVER_ERROR"
        || *code == 500
        || *code == 504
        || *code == "unexpected_failure"
        || *code == "request_timeout"
        || *msg == 2003
}
