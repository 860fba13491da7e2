//! A relay before a service. It forwards every byte and records the HTTP requests.
//!
//! It does not parse HTTP. A function waits for an answer before it sends the next request on the same
//! connection, so the first bytes from the client after an answer begin a new request.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use crate::authority::HOST;

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Call {
    /// DynamoDB's operation, `Publish` for SNS, or `GET` for a request that only opens a connection.
    pub operation: String,
    /// How many keys of items its body names.
    pub keys: usize,
    /// When its first bytes arrived, and when the last bytes of its answer did.
    pub during: (Instant, Instant),
}

/// How long the answer to the `n`-th request of a connection is kept back.
pub type Delay = fn(n: u32) -> Duration;

/// No answer is kept back.
pub const AT_ONCE: Delay = |_| Duration::ZERO;

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    tls: bool,
    passed: Arc<Mutex<Passed>>,
}

#[derive(Debug, Default)]
struct Passed {
    calls: Vec<Call>,
    connections: usize,
}

impl Relay {
    /// Relays to the service at this `http` URL, with this delay. With a `server`, the relay itself listens
    /// with TLS.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub async fn start(
        upstream: &str,
        server: Option<Arc<ServerConfig>>,
        delay: Delay,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let relay = Self {
            address: listener.local_addr()?,
            tls: server.is_some(),
            passed: Arc::default(),
        };
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let (passed, acceptor) = (relay.passed.clone(), server.map(TlsAcceptor::from));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                lock(&passed).connections += 1;
                let (passed, acceptor) = (passed.clone(), acceptor.clone());
                let upstream = upstream.clone();
                tokio::spawn(async move {
                    client.set_nodelay(true)?;
                    let service = TcpStream::connect(upstream).await?;
                    service.set_nodelay(true)?;
                    match acceptor {
                        Some(acceptor) => {
                            pass(acceptor.accept(client).await?, service, &passed, delay).await
                        }
                        None => pass(client, service, &passed, delay).await,
                    }
                });
            }
        });
        Ok(relay)
    }

    /// The relay's URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{HOST}:{}", self.address.port())
    }

    /// The number of requests so far.
    pub fn count(&self) -> usize {
        lock(&self.passed).calls.len()
    }

    /// The number of connections so far, including those whose handshake failed.
    pub fn connections(&self) -> usize {
        lock(&self.passed).connections
    }

    /// The requests after the first `count`.
    pub fn calls_since(&self, count: usize) -> Vec<Call> {
        lock(&self.passed).calls[count..].to_vec()
    }
}

/// How long at least one of these calls was running.
pub fn waited(calls: &[Call]) -> Duration {
    let mut during: Vec<_> = calls.iter().map(|call| call.during).collect();
    during.sort();
    let mut waited = Duration::ZERO;
    let mut until = None;
    for (start, end) in during {
        let start = until.map_or(start, |until: Instant| until.max(start));
        waited += end.saturating_duration_since(start);
        until = Some(until.map_or(end, |until| until.max(end)));
    }
    waited
}

/// The number of sequential calls: the longest chain in which each began after the one before ended.
pub fn sequential_depth(calls: &[Call]) -> usize {
    let mut during: Vec<_> = calls.iter().map(|call| call.during).collect();
    during.sort_by_key(|(_, end)| *end);
    let mut depth = 0;
    let mut last = None;
    for (start, end) in during {
        if last.is_none_or(|last| start >= last) {
            depth += 1;
            last = Some(end);
        }
    }
    depth
}

/// Groups these calls into rounds: the calls of a round ran at the same time. A `BatchGetItem` of three
/// keys is `BatchGetItem*3`.
pub fn rounds(calls: &[Call]) -> Vec<Vec<String>> {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.during.0);
    let mut rounds: Vec<Vec<String>> = Vec::new();
    let mut first_end: Option<Instant> = None;
    for call in calls {
        let (start, end) = call.during;
        let name = match call.operation.as_str() {
            "BatchGetItem" => format!("BatchGetItem*{}", call.keys),
            _ => call.operation,
        };
        match (rounds.last_mut(), first_end) {
            (Some(round), Some(first)) if start < first => {
                round.push(name);
                first_end = Some(first.min(end));
            }
            _ => {
                rounds.push(vec![name]);
                first_end = Some(end);
            }
        }
    }
    rounds
}

fn lock(passed: &Mutex<Passed>) -> MutexGuard<'_, Passed> {
    passed.lock().unwrap()
}

/// Forwards bytes in both directions until one side closes.
async fn pass(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut service: TcpStream,
    passed: &Mutex<Passed>,
    delay: Delay,
) -> io::Result<()> {
    let mut requests = 0;
    let (mut asked, mut answered) = (vec![0; 32 * 1024], vec![0; 32 * 1024]);
    let mut call = None;
    let mut asking = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                if !asking {
                    asking = true;
                    let now = Instant::now();
                    let operation = operation(&asked[..read]);
                    let calls = &mut lock(passed).calls;
                    calls.push(Call { operation, keys: 0, during: (now, now) });
                    call = Some(calls.len() - 1);
                }
                if let Some(call) = call {
                    lock(passed).calls[call].keys += keys(&asked[..read]);
                }
                service.write_all(&asked[..read]).await?;
            }
            read = service.read(&mut answered) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                if asking {
                    sleep(delay(requests)).await;
                    requests += 1;
                }
                asking = false;
                // Before it is forwarded: afterwards the client may read the time at once.
                if let Some(call) = call {
                    lock(passed).calls[call].during.1 = Instant::now();
                }
                client.write_all(&answered[..read]).await?;
                client.flush().await?;
            }
        }
    }
}

/// The operation of the request that begins with these bytes.
fn operation(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    if head.starts_with("GET ") {
        return "GET".to_owned();
    }
    let target = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-amz-target").then_some(value)
    });
    let operation = target.and_then(|target| target.rsplit('.').next());
    operation.unwrap_or("Publish").trim().to_owned()
}

/// How many keys of items these bytes name. DynamoDB's only key attribute here is `pk`.
fn keys(body: &[u8]) -> usize {
    let name = br#""pk":"#;
    let windows = body.windows(name.len());
    windows.filter(|window| window == name).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_named_with_the_number_of_its_keys() {
        let body = br#"{"RequestItems":{"u":{"Keys":[{"pk":{"S":"a"}},{"pk":{"S":"b"}}]}}}"#;
        let now = Instant::now();
        let call = |operation: &str, start: u64, end: u64| Call {
            operation: operation.to_owned(),
            keys: keys(body),
            during: (
                now + Duration::from_millis(start),
                now + Duration::from_millis(end),
            ),
        };
        let calls = [
            call("PutItem", 3, 4),
            call("BatchGetItem", 0, 2),
            call("UpdateItem", 1, 2),
        ];
        let expected = [vec!["BatchGetItem*2", "UpdateItem"], vec!["PutItem"]];
        assert_eq!(rounds(&calls), expected);
    }
}
