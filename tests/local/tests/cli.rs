//! The command line of the local system: its binary, options and output.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

fn local() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.args([
        "--port=0",
        "--dynamodb-port=0",
        "--sns-port=0",
        "--kms-port=0",
    ]);
    command
}

/// A directory that only this test run uses.
fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

/// The whole answer to a request with one more header, or none: head and body.
fn request(mut stream: TcpStream, header: &str, method: &str, path: &str, body: &str) -> String {
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: local\r\n{header}Connection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A process. It is killed when the test ends, however it ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running system.
struct Running {
    process: Process,
    lines: Lines<BufReader<ChildStdout>>,
    gateway: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut process = Process(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let ready = lines.next().unwrap().unwrap();
        let urls = ready
            .strip_prefix("Latchkey is ready: gateway http://")
            .unwrap();
        let (gateway, services) = urls.split_once(", DynamoDB http://").unwrap();
        assert!(services.contains(", SNS http://"), "{ready}");
        let gateway = gateway.to_owned();
        Self {
            process,
            lines,
            gateway,
        }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// The whole answer: head and body.
    fn request(&self, method: &str, path: &str, body: &str) -> String {
        request(self.connect(), "", method, path, body)
    }

    /// The same, sent as a page of this origin would send it.
    fn request_from(&self, origin: &str, method: &str, path: &str, body: &str) -> String {
        let origin = format!("Origin: {origin}\r\n");
        request(self.connect(), &origin, method, path, body)
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.gateway).unwrap()
    }

    fn send_login_message(&self) -> String {
        self.request(
            "POST",
            "/v1/user/sendLoginMessage",
            r#"{"phone":"13800138001"}"#,
        )
    }

    /// Sends it a signal and returns its exit code.
    fn end(mut self, signal: &str) -> Option<i32> {
        let pid = self.process.0.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.process.0.wait().unwrap().code()
    }
}

#[test]
fn it_prints_its_addresses_the_demo_accounts_and_each_sms() {
    let mut running = Running::start(local());
    assert_eq!(
        running.line(),
        "demo account eric: country code 86, phone 13800138001, password eric-password"
    );
    assert_eq!(
        running.line(),
        "demo account mary: country code 86, phone 13627140483, password mary-password"
    );

    let answer = running.send_login_message();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(running.line().starts_with("SMS to +8613800138001: "));

    let messages = running.request("GET", "/_local/messages", "");
    assert!(
        messages.contains(r#""phone":"+8613800138001""#),
        "{messages}"
    );
    let nowhere = running.request("GET", "/v1/user/sendLoginMessage", "");
    assert!(nowhere.starts_with("HTTP/1.1 404 "), "{nowhere}");
    assert!(nowhere.ends_with(r#"{"message":"Not Found"}"#), "{nowhere}");
    assert_eq!(running.end("-INT"), Some(0));
}

#[test]
fn a_data_directory_keeps_the_tables_across_restarts() {
    let dir = temporary("data");
    let kept = || {
        let mut command = local();
        command.arg("--data-dir").arg(&dir);
        Running::start(command)
    };
    let first = kept();
    assert!(first.send_login_message().contains(r#""code":"OK""#));
    assert_eq!(first.end("-TERM"), Some(0));

    let second = kept();
    assert!(
        second
            .send_login_message()
            .contains("SEND_MESSAGE_FREQUENTLY")
    );
    assert_eq!(second.end("-TERM"), Some(0));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_environment_overrides_the_template() {
    let mut command = local();
    command.env("ALLOWED_COUNTRY_CODES", "1");
    let running = Running::start(command);
    assert!(running.send_login_message().contains("PHONE_NOT_VALIDATE"));
}

/// Runs a command that must fail, and returns its one line of error.
fn refused(command: &mut Command, code: i32) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let error = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{error}");
    assert!(stdout.is_empty());
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn a_port_in_use_is_reported_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (option, service) in [
        ("--port", "gateway"),
        ("--dynamodb-port", "DynamoDB"),
        ("--sns-port", "SNS"),
        ("--kms-port", "KMS"),
    ] {
        let error = refused(local().args([option, &port]), 1);
        let expected = format!("local: {service} can't listen on 127.0.0.1:{port}: ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_reported_in_one_line() {
    let file = temporary("file");
    fs::write(&file, "").unwrap();
    let error = refused(local().arg("--data-dir").arg(file.join("data")), 1);
    assert!(error.starts_with("local: can't keep data in "), "{error}");
    fs::remove_file(file).unwrap();
}

#[test]
fn a_broken_template_is_reported_in_one_line() {
    let file = temporary("template");
    let with = |template: &str| {
        fs::write(&file, template).unwrap();
        refused(local().arg("--template").arg(&file), 1)
    };
    assert!(with("Resources: [").contains("is not YAML"));
    assert!(with("Outputs: {}").contains("no Resources"));
    assert!(with("Resources: {}").contains("no table UsersTable"));
    fs::remove_file(&file).unwrap();
    let error = refused(local().arg("--template").arg(&file), 1);
    assert!(error.contains("can't read the template"), "{error}");
}

#[test]
fn a_bad_variable_is_named_in_one_line() {
    let error = refused(local().env("ALLOWED_COUNTRY_CODES", "eighty-six"), 1);
    assert!(error.contains("ALLOWED_COUNTRY_CODES"), "{error}");
}

#[test]
fn a_bad_argument_is_reported_in_one_line() {
    for bad in [
        ["--port", "70000"],
        ["--bind", "here"],
        ["--nonsense", "x"],
        ["stray", "-x"],
    ] {
        let error = refused(local().args(bad), 2);
        assert!(error.contains("--help"), "{error}");
    }
}

#[test]
fn help_lists_the_options() {
    let Output { status, stdout, .. } = local().arg("--help").output().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(
        String::from_utf8(stdout)
            .unwrap()
            .contains("--data-dir DIR")
    );
}

#[test]
fn only_pages_of_an_allowed_origin_may_call() {
    let mut command = local();
    command.args(["--cors-origin", "https://app.example.com"]);
    let running = Running::start(command);
    let path = "/v1/user/sendLoginMessage";
    let asked = running.request_from("https://app.example.com", "OPTIONS", path, "");
    assert!(asked.starts_with("HTTP/1.1 204 "), "{asked}");
    for header in [
        "access-control-allow-origin: https://app.example.com",
        "access-control-allow-methods: DELETE,GET,POST,PUT",
        "access-control-allow-headers: apikey,authorization,content-type,token,x-client-info,\
         x-supabase-api-version",
        "access-control-expose-headers: authorization,retry-after,x-supabase-api-version",
        "access-control-max-age: 3600",
        "vary: Origin",
    ] {
        assert!(asked.contains(header), "{header}: {asked}");
    }
    let body = r#"{"phone":"13800138001"}"#;
    let answered = running.request_from("https://app.example.com", "POST", path, body);
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    assert!(
        answered.contains("access-control-allow-origin: https://app.example.com"),
        "{answered}"
    );
    assert!(
        answered.contains(
            "access-control-expose-headers: authorization,retry-after,x-supabase-api-version"
        ),
        "{answered}"
    );
    for method in ["OPTIONS", "POST"] {
        let other = running.request_from("https://evil.example.com", method, path, body);
        assert!(!other.contains("access-control"), "{other}");
        assert!(other.contains("vary: Origin"), "{other}");
        // The function is told the allowed origins too.
        let forbidden = other.starts_with("HTTP/1.1 403 ");
        assert_eq!(forbidden, method == "POST", "{other}");
    }
}

#[test]
fn an_origin_that_no_page_has_stops_the_start() {
    for origin in [
        "*",
        "https://*",
        "https://*.example.com",
        "null",
        "",
        " ",
        "app.example.com",
        "https://",
        "https://app.example.com/",
        "https://app.example.com/login",
        " https://app.example.com",
        "https://app.example.com ",
        "https://App.example.com",
        "https://app..example.com",
        "https://app.example.com:",
        "https://app.example.com:443",
        "https://:8443",
        "https://a.example.com,https://b.example.com",
    ] {
        let allowed = ["--cors-origin=https://app.example.com", "--cors-origin"];
        let output = local().args(allowed).arg(origin).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{origin}");
        let said = String::from_utf8_lossy(&output.stderr);
        let begins =
            format!("local: no page has the origin \"{origin}\": it is scheme and host, as in ");
        assert!(said.starts_with(&begins), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn whoever_reaches_the_gateway_finds_the_demo_accounts() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let mut command = local();
    // Hashing takes longer here than the client needs to connect.
    command.env("PASSWORD_PASSES", "5");
    command.env("PASSWORD_MEMORY_KIB", "65536");
    command.arg(format!("--port={port}")).stdout(Stdio::null());
    let mut process = Process(command.spawn().unwrap());
    let first = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(_) => assert!(process.0.try_wait().unwrap().is_none(), "it has ended"),
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    let body = r#"{"phone":"13627140483"}"#;
    let answer = request(first, "", "POST", "/v1/user/sendLoginMessage", body);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn without_an_allowed_origin_no_page_may_call() {
    let running = Running::start(local());
    let path = "/v1/user/sendLoginMessage";
    let asked = running.request_from("https://app.example.com", "OPTIONS", path, "");
    assert!(
        asked.starts_with("HTTP/1.1 404 ") && !asked.contains("access-control"),
        "{asked}"
    );
    assert!(!asked.contains("vary:"), "{asked}");
}
