//! The HTTP client of the SDK's clients: HTTP/1.1 over one connection pool, trusting Amazon's roots.
//!
//! It replaces the SDK's own client, which brings HTTP/2 and parses its roots once per client: 0.6 MB
//! and start time. A function serves one request at a time, so it has nothing to multiplex. Pool, HTTP
//! and TLS are the same crates in both.

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        connection::{CaptureSmithyConnection, ConnectionMetadata},
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use hyper::{
    Request, Uri,
    rt::{Sleep, Timer},
};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        self, Client,
        connect::{self, CaptureConnection, capture_connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{
    net::TcpStream,
    task::yield_now,
    time::{Instant as TokioInstant, timeout},
};
use tower_service::Service;

use crate::telemetry::{metrics::Metric, record};

/// The certificate authorities of AWS's endpoints (<https://www.amazontrust.com/repository/>). Trusting
/// only these shortens the start, because the system's list takes milliseconds to parse; and a
/// certificate that another authority issues by mistake is worthless. They are in DER: PEM would have
/// to be decoded.
const AMAZON_ROOTS: [&[u8]; 5] = [
    include_bytes!("../amazon-roots/amazon-root-ca-1.der"),
    include_bytes!("../amazon-roots/amazon-root-ca-2.der"),
    include_bytes!("../amazon-roots/amazon-root-ca-3.der"),
    include_bytes!("../amazon-roots/amazon-root-ca-4.der"),
    include_bytes!("../amazon-roots/starfield-services-root-g2.der"),
];

/// For name resolution, TCP and TLS together. The endpoints are a millisecond away.
const CONNECT: Duration = Duration::from_millis(800);

/// How long a connection may be idle and be used again. The other end closes idle connections, after a
/// time that AWS does not document, and an environment that is frozen then does not see it.
const IDLE: Duration = Duration::from_secs(20);

/// The client. Clones share its pool.
///
/// A request that finds its connection closed before a byte of it is written goes out on another one.
/// Nothing else is repeated here: what is written may do its work.
#[derive(Clone)]
pub(crate) struct Https {
    client: Client<Connect, SdkBody>,
}

impl Https {
    /// A client that trusts Amazon, and the authorities in the PEM file `ca_bundle`.
    ///
    /// # Errors
    /// A sentence about `AWS_CA_BUNDLE`, when it cannot be used.
    pub(crate) fn new(ca_bundle: Option<&str>) -> Result<Self, String> {
        Self::with_idle(ca_bundle, IDLE)
    }

    /// The same, with this time in place of [`IDLE`].
    fn with_idle(ca_bundle: Option<&str>, idle: Duration) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for root in AMAZON_ROOTS.map(CertificateDer::from_slice) {
            roots.add(root).map_err(|error| error.to_string())?;
        }
        if let Some(path) = ca_bundle {
            let in_bundle =
                |error: String| format!("environment variable AWS_CA_BUNDLE: {path}: {error}");
            let pem = std::fs::read(path).map_err(|error| in_bundle(error.to_string()))?;
            trust_pem(&mut roots, &pem).map_err(in_bundle)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = connect::HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(PoolTimer::new())
            .pool_idle_timeout(idle)
            .build(Connect(HttpsConnector::from((http, tls))));
        Ok(Self { client })
    }

    /// The client in the SDK's form. The time of each call is measured as `latency`.
    pub(crate) fn connector(&self, latency: Metric) -> SharedHttpConnector {
        let https = self.clone();
        SharedHttpConnector::new(Measured { https, latency })
    }

    /// Opens a connection to this endpoint and leaves it in the pool. The answer does not matter: the
    /// request is unsigned, so it is never charged.
    pub(crate) async fn open(&self, endpoint: &str) -> Option<()> {
        let request = Request::get(endpoint).body(SdkBody::empty()).ok()?;
        let answer = self.client.request(request).await.ok()?;
        // The connection returns to the pool when its answer has been read to the end.
        answer.into_body().collect().await.ok().map(drop)
    }
}

impl fmt::Debug for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Https")
    }
}

fn trust_pem(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), String> {
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The client of one service.
#[derive(Debug)]
struct Measured {
    https: Https,
    latency: Metric,
}

/// Records how long a call took when it ends: answered, failed, or dropped.
struct Stopwatch {
    latency: Metric,
    started: Instant,
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        record::took(self.latency, self.started.elapsed());
    }
}

impl HttpConnector for Measured {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        // Lets the SDK's retries abandon a connection whose other end fails.
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || poisonable(&connection));
        }
        let stopwatch = Stopwatch {
            latency: self.latency,
            started: Instant::now(),
        };
        let https = self.https.clone();
        HttpConnectorFuture::new(async move {
            let _stopwatch = stopwatch;
            // A connection that was closed while the environment was frozen looks open until the runtime
            // has asked the system for events. It does so before a task that yields goes on.
            yield_now().await;
            let answer = https.client.request(request).await.map_err(classify)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn poisonable(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    let connection = ConnectionMetadata::builder()
        .proxied(false)
        .poison_fn(poison);
    Some(connection.build())
}

/// The error's kind, which the SDK's retries depend on.
fn classify(error: legacy::Error) -> ConnectorError {
    let chain = || std::iter::successors(error.source(), |&error| error.source());
    if chain().any(|error| error.is::<TimedOut>()) {
        ConnectorError::timeout(error.into())
    } else if chain().any(|error| error.downcast_ref().is_some_and(hyper::Error::is_user)) {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

/// Whether the request cannot have reached the other side, because there was no connection.
pub(crate) fn never_connected(error: &ConnectorError) -> bool {
    let error = error.source().and_then(<dyn StdError>::downcast_ref);
    error.is_some_and(legacy::Error::is_connect)
}

/// The pool's timer. Linux's monotonic clock can stand still while Lambda freezes the environment
/// (<https://github.com/hashicorp/vault-lambda-extension/pull/150>), so the time is what the monotonic or
/// the wall clock has counted since the start, whichever is more. If the wall clock is set, a connection
/// may be opened that was not needed.
#[derive(Debug, Clone, Copy)]
struct PoolTimer {
    started: (TokioInstant, SystemTime),
}

impl PoolTimer {
    fn new() -> Self {
        let started = (TokioInstant::now(), SystemTime::now());
        Self { started }
    }
}

impl Timer for PoolTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        TokioTimer::new().sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        let (monotonic, wall) = self.started;
        // The wall clock fails if it has been set back.
        let by_wall = wall.elapsed().unwrap_or_default();
        (monotonic + monotonic.elapsed().max(by_wall)).into_std()
    }
}

/// Connects within [`CONNECT`].
#[derive(Clone)]
struct Connect(HttpsConnector<connect::HttpConnector>);

impl Service<Uri> for Connect {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, endpoint: Uri) -> Self::Future {
        let connecting = self.0.call(endpoint);
        Box::pin(async { timeout(CONNECT, connecting).await.map_err(|_| TimedOut)? })
    }
}

/// No connection within [`CONNECT`].
#[derive(Debug)]
struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection within {CONNECT:?}")
    }
}

impl StdError for TimedOut {}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        sync::mpsc,
        thread,
    };

    use aws_lc_rs::digest::{SHA256, digest};
    use tokio::time;

    use super::*;

    /// A server that answers each request, and reports the number of its connection.
    struct Server {
        url: String,
        requests: mpsc::Receiver<usize>,
    }

    impl Server {
        fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let (report, requests) = mpsc::channel();
            thread::spawn(move || {
                for (number, stream) in listener.incoming().enumerate() {
                    let (mut stream, report) = (stream.unwrap(), report.clone());
                    thread::spawn(move || {
                        while has_read_request(&mut stream) {
                            report.send(number).unwrap();
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                            stream.write_all(answer).unwrap();
                        }
                    });
                }
            });
            Self { url, requests }
        }

        /// The connections of the requests since the last time.
        fn connections(&self) -> Vec<usize> {
            self.requests.try_iter().collect()
        }
    }

    fn has_read_request(stream: &mut TcpStream) -> bool {
        let mut request = Vec::new();
        let mut some = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut some) {
                Ok(0) | Err(_) => return false,
                Ok(n) => request.extend_from_slice(&some[..n]),
            }
        }
        true
    }

    /// What a frozen environment does: nothing, its runtime included.
    fn freeze(duration: Duration) {
        thread::sleep(duration);
    }

    const LONG: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_connection_is_used_again_unless_it_was_idle_for_too_long() {
        for (idle, connections) in [(LONG / 2, [0, 1]), (LONG * 100, [0, 0])] {
            let server = Server::start();
            let https = Https::with_idle(None, idle).unwrap();
            https.open(&server.url).await.unwrap();
            freeze(LONG);
            https.open(&server.url).await.unwrap();
            assert_eq!(server.connections(), connections, "idle: {idle:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_idle_for_over_20_seconds_is_not_used_again() {
        let server = Server::start();
        let https = Https::new(None).unwrap();
        https.open(&server.url).await.unwrap();
        for seconds in [19, 21] {
            time::pause();
            time::advance(Duration::from_secs(seconds)).await;
            time::resume();
            https.open(&server.url).await.unwrap();
        }
        assert_eq!(server.connections(), [0, 0, 1]);
    }

    #[test]
    fn time_that_the_monotonic_clock_did_not_count_has_passed_all_the_same() {
        let frozen = Duration::from_secs(60);
        let timer = PoolTimer {
            started: (TokioInstant::now(), SystemTime::now() - frozen),
        };
        assert!(timer.now() >= Instant::now() + frozen - LONG);
        let set_back = PoolTimer {
            started: (TokioInstant::now() - frozen, SystemTime::now() + frozen),
        };
        assert!(set_back.now() + LONG >= Instant::now());
    }

    /// The fingerprints that <https://www.amazontrust.com/repository/> gives.
    #[test]
    fn the_roots_are_those_that_amazon_publishes() {
        let fingerprints = AMAZON_ROOTS.map(|root| {
            let digest = digest(&SHA256, root);
            let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
            hex.collect::<String>()
        });
        assert_eq!(
            fingerprints,
            [
                "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
                "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
                "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
                "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
                "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
            ]
        );
    }
}
