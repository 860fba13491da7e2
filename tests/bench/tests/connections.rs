//! The connections that a function opens while it starts.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::{Arc, Barrier, mpsc},
    thread,
    time::Duration,
};

use bench::relay::{AT_ONCE, Relay};
use local::{Clock, Inbox};
use shared::{
    aws::AwsConfig,
    aws::{Clients, Connections, Uses},
};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

fn clients(dynamodb: &str, sns: &str, sends: bool) -> (Connections, Clients) {
    let config = AwsConfig {
        region: "us-east-1".to_owned(),
        sms_region: "us-east-1".to_owned(),
        access_key_id: "local".to_owned(),
        secret_access_key: "local".to_owned(),
        session_token: None,
        dynamodb_endpoint: Some(dynamodb.to_owned()),
        sns_endpoint: Some(sns.to_owned()),
        kms_endpoint: None,
        ca_bundle: None,
        dynamodb_attempt: Duration::from_millis(900),
    };
    let connections = Connections::new(
        &config,
        Uses {
            sns: sends,
            kms: false,
        },
    )
    .unwrap();
    let clients = Clients::new(&config, &connections);
    (connections, clients)
}

#[tokio::test]
async fn the_first_request_opens_no_connection() {
    for sends in [true, false] {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        let dynamodb = local::dynamodb::start(any, None).await.unwrap();
        let inbox = Inbox::default();
        let sns = local::sns::start(any, inbox, Clock::default())
            .await
            .unwrap();
        let dynamodb = Relay::start(&dynamodb.url(), None, AT_ONCE).await.unwrap();
        let sns = Relay::start(&sns.url(), None, AT_ONCE).await.unwrap();

        let (connections, clients) = clients(&dynamodb.url(), &sns.url(), sends);
        connections.open().await;
        // The relay may see the second connection only after the first one has been answered.
        let expected = if sends { (2, 1) } else { (1, 0) };
        let opened = || (dynamodb.connections(), sns.connections());
        let begun = Instant::now();
        while opened() != expected && begun.elapsed() < Duration::from_secs(60) {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(opened(), expected);

        let list = || clients.dynamodb.list_tables().send();
        list().await.unwrap();
        if let Some(sns) = clients.sns {
            let (first, second) = tokio::join!(list(), list());
            first.and(second).unwrap();
            let publish = sns.publish().phone_number("+8613800138001");
            publish.message("hello").send().await.unwrap();
        }
        assert_eq!(opened(), expected);
    }
}

// The clock stands still while there is work, and moves to the next timer where there is none. So other load
// on the machine counts for nothing.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_down_delays_a_start_by_a_quarter_of_a_second_at_most() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let refusing = "http://127.0.0.1:1";
    for (dynamodb, sns) in [
        (refusing, refusing),
        (&silent, refusing),
        (&silent, &silent),
    ] {
        let (connections, _) = clients(dynamodb, sns, true);
        let before = Instant::now();
        connections.open().await;
        assert!(before.elapsed() <= Duration::from_millis(251));
    }
}

/// What a connection of [`Server`] does with its requests, one after the other. Then it is closed: after an
/// answer, while the client is frozen.
type Script = &'static [Does];

#[derive(Clone, Copy)]
enum Does {
    /// Reads a request and answers it.
    Answers,
    /// Reads a request and does not answer.
    Reads,
}
use Does::{Answers, Reads};

/// An SNS that closes connections.
struct Server {
    url: String,
    /// One for each request that was read.
    read: mpsc::Receiver<()>,
    /// Where server and client meet when the client is frozen, and again when the connection is closed.
    frozen: Arc<Barrier>,
}

impl Server {
    /// The first connection follows the first script, and so on.
    fn start(scripts: &'static [Script]) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (report, read) = mpsc::channel();
        let frozen = Arc::new(Barrier::new(2));
        let meeting = frozen.clone();
        thread::spawn(move || {
            for (stream, script) in listener.incoming().zip(scripts) {
                let (stream, report, frozen) = (stream.unwrap(), report.clone(), meeting.clone());
                thread::spawn(move || follow(script, stream, &report, &frozen));
            }
        });
        Self { url, read, frozen }
    }

    /// What a frozen environment does: nothing, its runtime included, until the connection is closed.
    fn freeze_client(&self) {
        self.frozen.wait();
        self.frozen.wait();
    }

    fn client(&self) -> Clients {
        clients("http://127.0.0.1:1", &self.url, true).1
    }
}

fn follow(script: Script, mut stream: TcpStream, report: &mpsc::Sender<()>, frozen: &Barrier) {
    for does in script {
        read_request(&mut stream);
        report.send(()).unwrap();
        if let Answers = does {
            let body = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
                        <PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>";
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all((head + body).as_bytes()).unwrap();
        }
    }
    if let Some(Answers) = script.last() {
        frozen.wait();
        drop(stream);
        frozen.wait();
    }
}

/// Reads a request to the end of its body.
fn read_request(stream: &mut TcpStream) {
    let (mut request, mut some) = (String::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut some).unwrap();
        request += std::str::from_utf8(&some[..n]).unwrap();
        let Some((head, body)) = request.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length = length.lines().next().unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return;
        }
    }
}

async fn is_published(clients: &Clients) -> bool {
    let publish = clients.sns.as_ref().unwrap().publish();
    let publish = publish.phone_number("+8613800138001").message("hello");
    publish.send().await.is_ok()
}

#[tokio::test]
async fn a_message_whose_connection_was_closed_meanwhile_is_published_on_another() {
    let server = Server::start(&[&[Answers], &[Answers]]);
    let clients = server.client();
    assert!(is_published(&clients).await);
    server.freeze_client();
    assert!(is_published(&clients).await);
    assert_eq!(server.read.try_iter().count(), 2);
}

#[tokio::test]
async fn a_message_that_sns_may_have_read_is_not_published_again() {
    for (scripts, published) in [
        (&[&[Reads] as Script, &[Answers]], 0),
        (&[&[Answers, Reads], &[Answers]], 1),
    ] {
        let server = Server::start(scripts);
        let clients = server.client();
        for _ in 0..published {
            assert!(is_published(&clients).await);
        }
        assert!(!is_published(&clients).await);
        assert_eq!(server.read.try_iter().count(), published + 1);
    }
}
