//! Odd input: thousands of requests that no client sends, from one seed. Whatever comes, the answer is its
//! dialect's, in time, and nothing is wrong inside.
//!
//! A seed that has found something is tried again with `LATCHKEY_ODD_INPUT_SEED=… cargo test odd_input`.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::{
    Answer, DAY, ERIC, ERIC_PASSWORD, FORM, PATIENT, TestApp, eric,
    gotrue::{
        ACCESS_TOKEN, DISCOVERY, EXCHANGE, JWKS, LOGOUT, OTP, REAUTHENTICATE, RESEND, TOKEN, USER,
        VERIFY, number,
    },
    md5, routes, scenario_with,
};

/// The variable that sets the seed. Without it every run makes the same requests.
const SEED: &str = "LATCHKEY_ODD_INPUT_SEED";
const REQUESTS: u64 = 5_000;
/// So many are under way at once: it is about input, not about load.
const AT_ONCE: usize = 4;
/// What an answer takes at most. Other tests share the machine: a request that took longer is made again,
/// by itself, up to so many times.
const AT_MOST: Duration = Duration::from_secs(1);
const AGAIN: usize = 3;

const JSON: &str = "application/json";

/// All that lies below is dialect D's.
const DIALECT_D: &str = "/auth/v1/";

/// Every field that an endpoint reads.
const FIELDS: [&str; 39] = [
    "phone",
    "phon",
    "countryCode",
    "contryCode",
    "phoneInfo",
    "code",
    "name",
    "value",
    "password",
    "newPassword",
    "oldPassword",
    "OldPassword",
    "token",
    "time",
    "username",
    "mobile_phone",
    "verification_code",
    "Verification_char",
    "new_password",
    "mcode",
    "mobile",
    "verify_code",
    "grant_type",
    "subject_token",
    "subject_token_type",
    "requested_token_type",
    "actor_token",
    "audience",
    "resource",
    "type",
    "token_hash",
    "channel",
    "data",
    "create_user",
    "refresh_token",
    "nonce",
    "email",
    "app_metadata",
    "factor_type",
];

/// Texts that have made trouble somewhere: digits of other scripts, marks, zeros, halves of characters,
/// other languages' syntax.
const TEXTS: [&str; 48] = [
    "",
    " ",
    "\t\r\n",
    "\0",
    "0",
    "-1",
    "00000000000000000000",
    "13800138001",
    "+8613800138001",
    "+86",
    "008613800138001",
    "１３８００１３８００１",
    "٠١٢٣٤٥",
    "½²³",
    "１２３４５６",
    "+",
    "++",
    "86",
    "+1",
    "+999",
    "eric",
    "ERIC",
    "nobody",
    "eric\u{0}",
    "é",
    "e\u{301}",
    "\u{FEFF}eric",
    "\u{202E}cire",
    "\u{200B}",
    "\u{FFFD}",
    "\u{10FFFF}",
    "👩‍👩‍👧‍👦",
    "İstanbul",
    "ß",
    "ﬁ",
    "验证码",
    "null",
    "undefined",
    "NaN",
    "true",
    "[object Object]",
    "' OR '1'='1",
    "\"}{\"",
    "{{7*7}}",
    "%00%ff%",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "Bearer x.y.z",
];

/// Numbers as JSON writes them.
const NUMBERS: [&str; 14] = [
    "0",
    "-0",
    "-0.0",
    "123456",
    "13800138001",
    "1.3800138001e10",
    "13800138001.0",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e309",
    "5e-324",
    "1.5",
];

/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// What a request may show and present that is right.
#[derive(Clone)]
struct Rights {
    /// A session token of dialect A.
    session: String,
    /// What a header shows.
    shown: String,
    ticket: String,
}

/// The rights that requests have, by what becomes of them.
struct AllRights {
    usual: Rights,
    parting: Rights,
    usual_in_d: Rights,
    parting_in_d: Rights,
}

impl AllRights {
    /// For a path. A session that is ended, or whose account changes, is not that of other requests.
    fn at(&self, path: &str) -> &Rights {
        match (path.starts_with(DIALECT_D), path.contains("logout")) {
            (false, false) => &self.usual,
            (false, true) => &self.parting,
            (true, false) => &self.usual_in_d,
            (true, true) => &self.parting_in_d,
        }
    }
}

/// One request.
struct Odd {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Odd {
    fn new(dice: &mut Dice, routes: &[(Method, String)], rights: &AllRights) -> Self {
        let (method, mut path) = routes[dice.below(routes.len())].clone();
        if dice.one_in(40) {
            path = match dice.below(5) {
                0 => format!("{path}/"),
                1 => path.to_uppercase(),
                2 => format!("/{path}"),
                3 => format!("{path}%00"),
                _ => "/".to_owned(),
            };
        } else if dice.one_in(20) {
            path.push_str(dice.of(&[
                "?token=x",
                "?",
                "?phone=13800138001&phone=1",
                "?%ff=%",
                "?a[b]=c",
                "?scope=local",
                "?scope=others&scope=",
                "?grant_type=password",
                "?grant_type=refresh_token",
            ]));
        }
        let method = match dice.below(40) {
            0 => Method::POST,
            1 => Method::PUT,
            2 => Method::DELETE,
            3 => Method::HEAD,
            4 => Method::OPTIONS,
            5 => Method::from_bytes(b"ODD").unwrap(),
            6 => Method::GET,
            _ => method,
        };
        let rights = rights.at(&path);
        let (label, body) = body(dice, rights);
        let mut headers = Vec::new();
        if let Some(label) = label {
            headers.push(("content-type", label));
        }
        for _ in 0..dice.below(3) {
            headers.push(header(dice, rights));
        }
        Self {
            method,
            path,
            headers,
            body,
        }
    }

    async fn send(&self, app: &TestApp) -> Answer {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (method, body) = (self.method.clone(), self.body.clone());
        app.request(method, &self.path, &headers, body).await
    }
}

/// A header, mostly one that functions read.
fn header(dice: &mut Dice, rights: &Rights) -> (&'static str, String) {
    let name = dice.of(&[
        "authorization",
        "token",
        "x-forwarded-for",
        "cookie",
        "x-origin-secret",
        "accept",
        "content-encoding",
        "user-agent",
        "accept-language",
        "origin",
        "sec-fetch-site",
    ]);
    let value = match dice.below(9) {
        0 => format!("Bearer {}", rights.shown),
        1 => rights.shown.clone(),
        2 => "Bearer".to_owned(),
        3 => format!("bearer   {}", &rights.shown[..rights.shown.len() / 2]),
        4 => "x".repeat(dice.below(4_000)),
        5 => "203.0.113.7, ::1, not-an-address, ,".to_owned(),
        6 => "gzip".to_owned(),
        7 => "eyJhbGciOiJub25lIn0.e30.".to_owned(),
        // Bytes that are no ASCII.
        _ => "Bearer é验".to_owned(),
    };
    (name, value)
}

/// A body and its content type.
fn body(dice: &mut Dice, rights: &Rights) -> (Option<String>, Vec<u8>) {
    let mut body = match dice.below(12) {
        0 => Vec::new(),
        1 => noise(dice),
        2..4 => form(dice, rights).into_bytes(),
        4 => nested(dice).into_bytes(),
        5 => scalar(dice, rights, 0).into_bytes(),
        _ => object(dice, rights, 0).into_bytes(),
    };
    match dice.below(30) {
        0 => body.truncate(body.len() / 2),
        1 => body.splice(0..0, "\u{FEFF}".bytes()).for_each(drop),
        2 => {
            body = String::from_utf8_lossy(&body)
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect()
        }
        3 => body.extend(noise(dice)),
        4 => body.extend(vec![b' '; 16 * 1024 - body.len().min(16 * 1024)]),
        5 => body.extend(vec![b' '; 17 * 1024]),
        6 => {
            for _ in 0..4 {
                let at = dice.below(body.len().max(1));
                if let Some(byte) = body.get_mut(at) {
                    *byte = u8::try_from(dice.below(256)).unwrap();
                }
            }
        }
        _ => {}
    }
    let label = match dice.below(10) {
        0 => None,
        1..4 => Some(FORM.1.to_owned()),
        4 => Some("Application/X-WWW-Form-Urlencoded ; charset=GBK".to_owned()),
        5 => Some(
            dice.of(&[
                "text/plain",
                "multipart/form-data; boundary=x",
                "",
                ";",
                "é",
                "a/b/c",
            ])
            .to_owned(),
        ),
        _ => Some(JSON.to_owned()),
    };
    (label, body)
}

fn noise(dice: &mut Dice) -> Vec<u8> {
    let length = dice.below(200);
    (0..length)
        .map(|_| u8::try_from(dice.below(256)).unwrap())
        .collect()
}

/// A deep structure, closed or not.
fn nested(dice: &mut Dice) -> String {
    let depth = dice.below(3_000);
    let (open, close) = if dice.one_in(2) {
        ("[", "]")
    } else {
        ("{\"phone\":", "}")
    };
    let closed = if dice.one_in(2) {
        close.repeat(depth)
    } else {
        String::new()
    };
    format!("{}1{closed}", open.repeat(depth))
}

fn form(dice: &mut Dice, rights: &Rights) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for _ in 0..dice.below(8) {
        form.append_pair(dice.of(&FIELDS), &text(dice, rights));
    }
    let mut form = form.finish();
    if dice.one_in(6) {
        form.push_str(dice.of(&[
            "&phone=%ff",
            "&&&",
            "&=",
            "&code=%",
            "&phone",
            "&name=%u9a8c",
            ";a=b",
        ]));
    }
    form
}

/// A JSON object, written by hand: fields may come twice.
fn object(dice: &mut Dice, rights: &Rights, depth: usize) -> String {
    let mut fields: Vec<String> = Vec::new();
    if dice.one_in(2) {
        // Mostly right, so that more than the first check is reached.
        let right = right(rights);
        let mut all: Vec<(&String, &Value)> = right.iter().collect();
        all.retain(|_| !dice.one_in(8));
        fields.extend(
            all.iter()
                .map(|(name, value)| format!("{}:{value}", json!(name))),
        );
    }
    for _ in 0..dice.below(6) {
        let name = if dice.one_in(12) {
            text(dice, rights)
        } else {
            dice.of(&FIELDS).to_owned()
        };
        let value = scalar(dice, rights, depth);
        fields.push(format!("{}:{value}", json!(name)));
    }
    format!("{{{}}}", fields.join(","))
}

/// The fields of every endpoint, in their form.
fn right(rights: &Rights) -> Map<String, Value> {
    let fields = json!({
        "phone": ERIC, "countryCode": "86", "phoneInfo": rights.ticket, "code": "000000",
        "name": "anna", "value": "eric", "password": md5("no-password"),
        "grant_type": EXCHANGE, "subject_token": rights.session, "subject_token_type": ACCESS_TOKEN,
        "newPassword": "new-password", "username": "eric", "mobile_phone": ERIC,
        "verification_code": "000000", "Verification_char": "x", "new_password": "abc123",
        "mcode": "+86", "mobile": "13900139000", "verify_code": "000000",
    });
    fields.as_object().unwrap().clone()
}

/// A JSON value, mostly a scalar.
fn scalar(dice: &mut Dice, rights: &Rights, depth: usize) -> String {
    match dice.below(12) {
        0 => dice.of(&["null", "true", "false"]).to_owned(),
        1..4 => dice.of(&NUMBERS).to_owned(),
        4 if depth < 4 => object(dice, rights, depth + 1),
        5 if depth < 4 => format!("[{}]", scalar(dice, rights, depth + 1)),
        // Halves of a surrogate pair, and an escape that is none.
        6 => dice
            .of(&[r#""\ud800""#, r#""\udc00\ud800""#, r#""\u0000""#, r#""\x""#])
            .to_owned(),
        _ => json!(text(dice, rights)).to_string(),
    }
}

fn text(dice: &mut Dice, rights: &Rights) -> String {
    match dice.below(12) {
        0 => dice.of(&TEXTS).repeat(1 + dice.below(70)),
        1 => dice.of(&TEXTS).repeat(1 + dice.below(2_000)),
        2 => rights.session.clone(),
        3 => rights.ticket.clone(),
        4 => {
            let scalars =
                (0..dice.below(40)).map(|_| u32::try_from(dice.below(0x11_0000)).unwrap());
            scalars.filter_map(char::from_u32).collect()
        }
        5 => {
            let digits = (0..dice.below(20))
                .map(|_| char::from(b'0' + u8::try_from(dice.below(10)).unwrap()));
            digits.collect()
        }
        _ => dice.of(&TEXTS).to_owned(),
    }
}

/// Why an answer is not one that its dialect gives.
fn complaint(odd: &Odd, routed: bool, answer: &Answer) -> Option<&'static str> {
    let (status, body) = (answer.status, &answer.body);
    if !routed {
        // API Gateway's own.
        let not_found = json!({"message": "Not Found"});
        let is_its = status == 404 && (body == &not_found || odd.method == Method::HEAD);
        return (!is_its).then_some("not API Gateway's 404");
    }
    let kinds = |names: &[&str]| {
        let object = body.as_object();
        object.is_some_and(|object| object.keys().all(|key| names.contains(&key.as_str())))
    };
    let path = odd.path.split('?').next().unwrap_or_default();
    if status == 204 {
        return (path != LOGOUT || !body.is_null() && body != "").then_some("not dialect D's 204");
    }
    let is_published = [JWKS, DISCOVERY].contains(&path) && status == 200;
    let of_caches = match is_published {
        true => "public, max-age=600",
        false => "no-store",
    };
    let is = |name: &str, due: &str| answer.headers.get(name).is_some_and(|it| it == due);
    if !is("content-type", "application/json; charset=utf-8") || !is("cache-control", of_caches) {
        return Some("not the headers of every answer");
    }
    if status == 403 && !body["message"].is_null() {
        // A page's headers: these origins are none that may call.
        let is_a_pages = |(name, _): &(&str, String)| ["origin", "sec-fetch-site"].contains(name);
        let is_forbidden = body == &json!({"message": "Forbidden"});
        let is_right = is_forbidden && odd.headers.iter().any(is_a_pages);
        return (!is_right).then_some("forbidden to no page");
    }
    if path.starts_with("/Systems/") {
        let in_form = status == 200
            && kinds(&["code", "msg", "info"])
            && (body["code"] == 0 || body["code"] == 1)
            && body["msg"].is_u64()
            && body["info"].is_string();
        return (!in_form || body["msg"] == 2003).then_some("not dialect B's");
    }
    if ["/v1/user/verify_code", "/v1/user/mobile"].contains(&path) {
        let code = &body["code"];
        let in_form = status == 200
            && kinds(&["code", "msg"])
            && (code.is_u64() || code.is_string())
            && body["msg"].is_string();
        return (!in_form || code == 500).then_some("not dialect C's");
    }
    if path.starts_with(DIALECT_D) {
        let is_refusal = kinds(&["code", "error_code", "msg"]) && body["code"] == status;
        let in_form = match status {
            200 if path == TOKEN => body["token_type"] == "Bearer" && body["expires_in"] == 3600,
            200 if [OTP, RESEND].contains(&path) => kinds(&["message_id"]),
            200 if path == USER => body["identities"].is_array(),
            200 if path == REAUTHENTICATE => body == &json!({}),
            200 if path == JWKS => body["keys"].is_array(),
            200 if path == DISCOVERY => body["issuer"].is_string(),
            400 if path == TOKEN && kinds(&["error", "error_description"]) => true,
            400..500 => is_refusal || odd.method == Method::HEAD,
            _ => false,
        };
        return (!in_form).then_some("not dialect D's");
    }
    let in_form = match status {
        200 => {
            kinds(&["status", "result", "code", "success", "token"])
                && body["code"] == "OK"
                && body["success"] == true
                && !body["result"].is_null()
        }
        400 | 401 => {
            kinds(&["success", "message", "code", "status", "token"])
                && body["success"] == false
                && body["message"].is_string()
                && body["code"].is_string()
        }
        _ => false,
    };
    let same = body["status"] == status;
    (!in_form || !same).then_some("not dialect A's")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::print_stdout,
    reason = "the test runner shows it with the failure"
)]
async fn every_answer_is_the_dialects_and_in_time() {
    let seed = std::env::var(SEED).ok().map(|seed| seed.parse().unwrap());
    let seed: u64 = seed.unwrap_or(1);
    println!("{SEED}={seed}");
    scenario_with(&[PATIENT], async |app| {
        let mut routes = routes();
        // What reads the most fields.
        routes.extend([TOKEN, OTP, VERIFY].map(|path| (Method::POST, path.to_owned())));
        let (ticket, _) = app.reset_code(ERIC).await;
        let [session, parting] = [app.session_of_eric().await, app.session_of_eric().await];
        let rights = |session: &str, shown: &str| Rights {
            session: session.to_owned(),
            shown: shown.to_owned(),
            ticket: ticket.clone(),
        };
        let [access, parting_access] = [
            app.signed_in(&number(901)).await,
            app.signed_in(&number(902)).await,
        ]
        .map(|session| session["access_token"].as_str().unwrap().to_owned());
        let rights = AllRights {
            usual: rights(&session, &session),
            parting: rights(&parting, &parting),
            usual_in_d: rights(&session, &access),
            parting_in_d: rights(&session, &parting_access),
        };
        let one = async |number: u64| {
            let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(number));
            let odd = Odd::new(&mut dice, &routes, &rights);
            let answer = odd.send(app).await;
            let path = odd.path.split('?').next().unwrap_or_default();
            let mut all = routes.iter();
            let routed = all.any(|(method, of)| *method == odd.method && of == path);
            let below = path.strip_prefix(DIALECT_D);
            let routed = routed || below.is_some_and(|rest| !rest.is_empty());
            let shown = String::from_utf8_lossy(&odd.body[..odd.body.len().min(300)]);
            let complaint = complaint(&odd, routed, &answer);
            assert_eq!(
                complaint, None,
                "seed {seed}, request {number}: {} {} {:?} {shown}\n{} {}",
                odd.method, odd.path, odd.headers, answer.status, answer.body
            );
            (routed && answer.status == 200, answer.took)
        };
        let numbers = stream::iter(0..REQUESTS);
        let answers = numbers.map(async |number| (number, one(number).await));
        let answers: Vec<(u64, (bool, Duration))> =
            answers.buffer_unordered(AT_ONCE).collect().await;
        let slow = answers.iter().filter(|(_, (_, took))| *took >= AT_MOST);
        for (number, (_, took)) in slow {
            println!("request {number} took {took:?}");
            let mut quickest = *took;
            for _ in 0..AGAIN {
                quickest = quickest.min(one(*number).await.1);
            }
            assert!(
                quickest < AT_MOST,
                "seed {seed}, request {number}: {quickest:?}"
            );
        }
        let ok = answers.iter().filter(|(_, (ok, _))| *ok).count();
        println!("{ok} of {REQUESTS} with HTTP status 200");
        assert!(ok > 100, "hardly any came through the first checks: {ok}");
        app.assert_no_error_was_logged();
        // Nothing of it has stopped or changed anything but the name, which every session may change.
        app.wait(DAY);
        let session = app.session_of(ERIC, ERIC_PASSWORD).await;
        let mut user = app.info(&session).await.body["result"].take();
        user["name"] = eric()["name"].clone();
        assert_eq!(user, eric());
    })
    .await;
}
