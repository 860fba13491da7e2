//! Values as clients and people write them: what is tolerated, on every endpoint that takes the field, in
//! JSON and in forms.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::{
    Answer, ERIC, ERIC_PASSWORD, FORM, HOUR, Person, TestApp, md5,
    mobile::{MOBILE, VERIFY_CODE},
    paths, scenario,
    systems::{MAKE_SURE, SEND_VERIFICATION_CODE},
};

const JSON: (&str, &str) = ("content-type", "application/json");
const MARK: &str = "\u{FEFF}";
/// So long that no limit on messages is met.
const THREE_HOURS: u64 = 3 * HOUR;

/// Posts fields in one of the formats.
async fn post(app: &TestApp, format: Format, path: &str, session: &str, fields: &Value) -> Answer {
    let fields = fields.as_object().unwrap();
    let bearer = format!("Bearer {session}");
    let (label, body) = format.of(fields);
    let headers = [label, ("authorization", bearer.as_str())];
    let answer = app.post_raw(path, &headers, body).await;
    app.learn_reset_token(&answer);
    answer
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Form,
    /// As `curl -d` and axios send JSON unless told otherwise.
    JsonLabelledForm,
    MarkedJson,
    MarkedForm,
    MarkedJsonLabelledForm,
    SpacedJsonLabelledForm,
}

impl Format {
    fn of(self, fields: &Map<String, Value>) -> ((&'static str, &'static str), String) {
        let json = || Value::Object(fields.clone()).to_string();
        match self {
            Self::Json => (JSON, json()),
            Self::Form => (FORM, form(fields)),
            Self::JsonLabelledForm => (FORM, json()),
            Self::MarkedJson => (JSON, format!("{MARK}{}", json())),
            Self::MarkedForm => (FORM, format!("{MARK}{}", form(fields))),
            Self::MarkedJsonLabelledForm => (FORM, format!("{MARK}{}", json())),
            Self::SpacedJsonLabelledForm => (FORM, format!("\r\n {}", json())),
        }
    }
}

fn form(fields: &Map<String, Value>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        form.append_pair(name, &text);
    }
    form.finish()
}

/// Every path, what it answers to no field at all, and to [`garbage`].
const PATHS: [(&str, &str, &str); 21] = [
    (
        "/v1/user/sendLoginMessage",
        "{PHONE}_REQUIRED",
        "PHONE_NOT_VALIDATE",
    ),
    (
        "/v1/user/sendRegisterMessage",
        "{PHONE}_REQUIRED",
        "PHONE_NOT_VALIDATE",
    ),
    (
        "/v1/user/sendChangePasswordMessage2",
        "{PHONE}_REQUIRED",
        "PHONE_NOT_VALIDATE",
    ),
    (
        "/v1/user/loginByMessage",
        "{CODE}_REQUIRED",
        "{PHONE_INFO}_NOT_VALID",
    ),
    (
        "/v1/user/register",
        "{CODE}_REQUIRED",
        "{PHONE_INFO}_NOT_VALID",
    ),
    (
        "/v1/user/changePasswordByMessage",
        "{NEW_PASSWORD}_REQUIRED",
        "{PHONE_INFO}_NOT_VALID",
    ),
    (
        "/v1/user/changePasswordByMessage2",
        "{CODE}_REQUIRED",
        "{PHONE_INFO}_NOT_VALID",
    ),
    ("/v1/user/login", "{VALUE}_REQUIRED", "USER_LOGIN_FAILED"),
    (
        "/v1/user/changePassword",
        "{OLD_PASSWORD}_REQUIRED",
        "{OLD_PASSWORD}_NOT_VALID",
    ),
    ("/v1/user/changeName", "{NAME}_REQUIRED", "OK"),
    ("/v1/user/changeNameAndGet", "{NAME}_REQUIRED", "OK"),
    ("/v1/user/info", "OK", "OK"),
    ("/v1/user/logout", "OK", "OK"),
    ("/v1/user/sendChangePasswordMessage", "OK", "OK"),
    ("/v1/user/sendDeleteMessage", "OK", "OK"),
    (
        "/v1/user/deleteByMessage",
        "{PHONE_INFO}_REQUIRED",
        "{PHONE_INFO}_NOT_VALID",
    ),
    (SEND_VERIFICATION_CODE, "3003", "8011"),
    (MAKE_SURE, "3003", "8014"),
    ("/Systems/changepasswd", "3003", "8014"),
    (VERIFY_CODE, "400104", "400107"),
    (MOBILE, "400104", "400107"),
];

/// All fields of all endpoints, none of them good but the name.
fn garbage() -> Value {
    json!({
        "phone": "1", "phoneInfo": "x", "code": "1", "name": "Anna", "value": "nobody",
        "password": "no-password", "newPassword": "no-password", "oldPassword": "no-password", "username": "nobody",
        "mobile_phone": "1", "verification_code": "1", "Verification_char": "x",
        "new_password": "abc123", "mcode": "+86", "mobile": "1", "verify_code": "1",
    })
}

/// What an answer says, in one word.
fn said(answer: &Answer) -> String {
    let body = &answer.body;
    match (&body["msg"], &body["code"]) {
        (Value::Number(msg), _) => msg.to_string(),
        (_, Value::String(code)) => code.clone(),
        (_, code) => code.to_string(),
    }
}

#[test]
fn every_route_is_among_the_paths() {
    let routes: BTreeSet<String> = paths().into_iter().collect();
    let listed = PATHS.iter().map(|(path, ..)| (*path).to_owned());
    assert_eq!(routes, listed.collect());
}

#[tokio::test]
async fn a_body_is_read_however_it_is_labelled_and_marked() {
    scenario(async |app| {
        for (path, _, expected) in PATHS {
            for format in [
                Format::Json,
                Format::Form,
                Format::JsonLabelledForm,
                Format::MarkedJson,
                Format::MarkedForm,
                Format::MarkedJsonLabelledForm,
                Format::SpacedJsonLabelledForm,
            ] {
                // The name may be another one by now.
                let session = app.session_of(ERIC, ERIC_PASSWORD).await;
                let answer = post(app, format, path, &session, &garbage()).await;
                assert_eq!(said(&answer), expected, "{path} {format:?}");
                app.wait(THREE_HOURS);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_body_is_an_empty_object() {
    scenario(async |app| {
        for (path, expected, _) in PATHS {
            for label in [None, Some(JSON), Some(FORM)] {
                for body in ["", MARK, "{}"] {
                    let bearer = format!("Bearer {}", app.session_of_eric().await);
                    let mut headers = vec![("authorization", bearer.as_str())];
                    headers.extend(label);
                    let headers = &headers[..];
                    let answer = app.post_raw(path, headers, body).await;
                    assert_eq!(said(&answer), expected, "{path} {headers:?} {body:?}");
                    app.wait(THREE_HOURS);
                }
            }
        }
    })
    .await;
}

/// How people and programs write a number of country 86, and the calling code before it.
fn numbers(phone: &str, format: Format) -> Vec<Value> {
    let joined = |separator: &str| [&phone[..3], &phone[3..7], &phone[7..]].join(separator);
    let number: f64 = phone.parse().unwrap();
    let mut written = vec![
        json!(phone),
        json!(format!("+86{phone}")),
        json!(format!("+86 {}", joined(" "))),
        json!(format!("+86-{phone}")),
        json!(format!("0086{phone}")),
        json!(format!("0086 {}", joined("-"))),
        json!(format!("86{phone}")),
        json!(joined(" ")),
        json!(joined("-")),
        json!(joined("\u{2011}")),
        json!(joined("\u{a0}")),
        json!(full_width(phone)),
        json!(format!("８６{}", full_width(phone))),
        json!(format!("\t{phone}\n")),
        json!(format!("＋８６{}", full_width(phone))),
        // As a telephone copies it from its contacts.
        json!(format!("\u{202d}+86 {}\u{202c}", joined(" "))),
    ];
    if format == Format::Json {
        let digits: u64 = phone.parse().unwrap();
        written.extend([
            json!(number),
            json!(digits),
            json!(8_600_000_000_000 + digits),
        ]);
    }
    written
}

#[tokio::test]
async fn a_number_may_be_written_in_many_ways_on_every_endpoint_that_takes_one() {
    scenario(async |app| {
        for format in [Format::Json, Format::Form] {
            for (path, phone) in [
                ("/v1/user/sendLoginMessage", ERIC),
                ("/v1/user/sendRegisterMessage", "13900139001"),
                ("/v1/user/sendChangePasswordMessage2", ERIC),
                (SEND_VERIFICATION_CODE, ERIC),
                (VERIFY_CODE, "13900139001"),
            ] {
                let session = app.session_of_eric().await;
                for written in numbers(phone, format) {
                    let before = app.texts(phone).len();
                    let mut fields = json!({"username": "eric", "mcode": "+86"});
                    for field in ["phone", "mobile_phone", "mobile"] {
                        fields[field] = written.clone();
                    }
                    let answer = post(app, format, path, &session, &fields).await;
                    let sent = app.texts(phone).len() - before;
                    assert_eq!(sent, 1, "{path} {format:?} {written}: {answer:?}");
                    app.wait(THREE_HOURS);
                }
            }
            for written in numbers(ERIC, format) {
                let fields = json!({"value": written, "password": ERIC_PASSWORD});
                let answer = post(app, format, "/v1/user/login", "", &fields).await;
                assert_eq!(said(&answer), "OK", "login {format:?} {written}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_number_to_move_to_may_be_written_in_many_ways() {
    scenario(async |app| {
        let phone = "13900139001";
        for format in [Format::Json, Format::Form] {
            let session = app.session_of_eric().await;
            app.phone_change_code(&session, phone).await;
            for written in numbers(phone, format) {
                // A number that could not be read would be refused before the code.
                let fields = json!({"mcode": "+86", "mobile": written, "verify_code": "1234567"});
                let answer = post(app, format, MOBILE, &session, &fields).await;
                assert_eq!(said(&answer), "400110", "{format:?} {written}");
            }
            let code = app.last_code(phone);
            let fields =
                json!({"mcode": "+86", "mobile": "+86 139-0013-9001", "verify_code": code});
            let answer = post(app, format, MOBILE, &session, &fields).await;
            answer.assert_c_success();
            app.wait(THREE_HOURS);
            app.move_to(&session, ERIC).await;
            app.wait(THREE_HOURS);
        }
    })
    .await;
}

/// Ways to write a code. Dialect C takes strings of at most six characters alone.
fn codes(code: &str, path: &str, format: Format) -> Vec<Value> {
    let mut written = vec![json!(full_width(code))];
    if path != MOBILE {
        written.push(json!(format!(" {} - {} ", &code[..3], &code[3..])));
        written.push(json!(code.parse::<u32>().unwrap()));
    }
    if path != MOBILE && format == Format::Json {
        written.push(json!(code.parse::<f64>().unwrap()));
    }
    written
}

/// The paths that take a code.
const REDEEMERS: [&str; 6] = [
    "/v1/user/loginByMessage",
    "/v1/user/register",
    "/v1/user/changePasswordByMessage",
    "/v1/user/changePasswordByMessage2",
    MAKE_SURE,
    MOBILE,
];

/// A code that was sent, and the request that redeems it.
struct Redemption {
    path: &'static str,
    /// The code's slot.
    slot: String,
    session: String,
    code: String,
    /// The body but for the code.
    body: Value,
}

impl Redemption {
    /// For the account number `n`, or for somebody new.
    async fn new(app: &TestApp, path: &'static str, n: u64) -> Self {
        let person = Person::new(app, n).await;
        let session = person.session(app).await;
        let Person {
            uid,
            name,
            phone,
            free,
            password,
        } = person;
        app.learn_password("second-password");
        let with_ticket =
            |sent: Answer| json!({"phoneInfo": sent.result(), "newPassword": "second-password"});
        let (slot, to, body) = match path {
            "/v1/user/loginByMessage" => {
                let body = with_ticket(app.send_login_code(&phone).await);
                (format!("login#+86{phone}"), &phone, body)
            }
            "/v1/user/register" => {
                let mut body = with_ticket(app.send_register_code(&free).await);
                body["name"] = json!(format!("new{n}"));
                body["password"] = json!(password);
                (format!("register#+86{free}"), &free, body)
            }
            "/v1/user/changePasswordByMessage" => {
                let body = with_ticket(app.send_change_password_code(&session).await);
                (format!("change-password#{uid}"), &phone, body)
            }
            "/v1/user/changePasswordByMessage2" => {
                let body = with_ticket(app.send_reset_code(&phone).await);
                (format!("reset-password#+86{phone}"), &phone, body)
            }
            MAKE_SURE => {
                app.send_verification_code(&name, &phone).await;
                (format!("recover#{name}"), &phone, json!({"username": name}))
            }
            _ => {
                app.send_phone_change_code(&session, &free).await;
                let body = json!({"mcode": "+86", "mobile": free});
                (format!("change-phone#{uid}#+86{free}"), &free, body)
            }
        };
        let code = app.last_code(to);
        Self {
            path,
            slot,
            session,
            code,
            body,
        }
    }

    async fn redeem(&self, app: &TestApp, format: Format, code: Value) -> Answer {
        let mut body = self.body.clone();
        for field in ["code", "verification_code", "verify_code"] {
            body[field] = code.clone();
        }
        post(app, format, self.path, &self.session, &body).await
    }
}

#[tokio::test]
async fn a_code_may_be_written_in_many_ways_on_every_endpoint_that_takes_one() {
    scenario(async |app| {
        let mut n = 0;
        for format in [Format::Json, Format::Form] {
            for path in REDEEMERS {
                for way in 0..codes("123456", path, format).len() {
                    n += 1;
                    let redemption = Redemption::new(app, path, n).await;
                    let written = codes(&redemption.code, path, format)[way].clone();
                    let answer = redemption.redeem(app, format, written).await;
                    let said = said(&answer);
                    let succeeded = ["OK", "2006", "200"].contains(&said.as_str());
                    assert!(succeeded, "{path} {format:?} {way}: {answer:?}");
                    app.wait(HOUR);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_code_without_a_digit_is_missing_and_costs_no_try() {
    scenario(async |app| {
        for (n, path) in (0..).zip(REDEEMERS) {
            let missing = match path {
                MAKE_SURE => "3003",
                MOBILE => "400108",
                _ => "{CODE}_REQUIRED",
            };
            let redemption = Redemption::new(app, path, n).await;
            for format in [Format::Json, Format::Form] {
                for written in ["abc", "验证码", "-", "٣", "½"] {
                    let answer = redemption.redeem(app, format, json!(written)).await;
                    assert_eq!(said(&answer), missing, "{path} {format:?} {written}");
                }
            }
            assert_eq!(app.wrong_tries(&redemption.slot).await, "0", "{path}");
            app.wait(HOUR);
        }
    })
    .await;
}

#[tokio::test]
async fn white_space_around_an_md5_is_no_part_of_it_on_every_endpoint_that_takes_a_password() {
    scenario(async |app| {
        let [first, second] = ["first-password", "second-password"];
        app.learn_password(first);
        let spaced = |password: &str| json!(format!(" \t{}\r\n", md5(password).to_uppercase()));
        let mut n = 0;
        for format in [Format::Json, Format::Form] {
            for (path, field) in [
                ("/v1/user/register", "password"),
                ("/v1/user/changePasswordByMessage", "newPassword"),
                ("/v1/user/changePasswordByMessage2", "newPassword"),
            ] {
                n += 1;
                let mut redemption = Redemption::new(app, path, n).await;
                redemption.body[field] = spaced(first);
                // The password so far, where an endpoint takes it.
                redemption.body["oldPassword"] = spaced(&format!("password-of-{n}"));
                let code = json!(redemption.code);
                let answer = redemption.redeem(app, format, code).await;
                assert_eq!(said(&answer), "OK", "{path} {format:?}: {answer:?}");
                let name = match path {
                    "/v1/user/register" => format!("new{n}"),
                    _ => format!("person{n}"),
                };
                for password in [json!(first), json!(md5(first)), spaced(first)] {
                    let fields = json!({"value": name, "password": password});
                    let answer = post(app, format, "/v1/user/login", "", &fields).await;
                    assert_eq!(said(&answer), "OK", "{path} {format:?} {password}");
                }
                let answer = app.log_in_with_password(&name, second).await;
                assert_eq!(said(&answer), "USER_LOGIN_FAILED", "{path}");
                app.wait(HOUR);
            }
            n += 1;
            let person = Person::new(app, n).await;
            let session = person.session(app).await;
            let fields =
                json!({"oldPassword": spaced(&person.password), "newPassword": spaced(first)});
            let answer = post(app, format, "/v1/user/changePassword", &session, &fields).await;
            assert_eq!(said(&answer), "OK", "{format:?}: {answer:?}");
            for password in [first.to_owned(), md5(first)] {
                app.session_of(&person.name, &password).await;
            }
        }
    })
    .await;
}

fn full_width(digits: &str) -> String {
    let moved = digits
        .chars()
        .map(|c| char::from_u32(u32::from(c) + 0xFF10 - 0x30));
    moved.map(Option::unwrap).collect()
}
