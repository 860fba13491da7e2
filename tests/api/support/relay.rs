//! A relay in front of DynamoDB or SNS: it records each call, and injects faults.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    calls::{Call, describe, signer, writes},
    fault::Fault,
};

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    calls: Vec<Call>,
}

impl State {
    /// What happens to the next request, if it is of this operation.
    fn fault_of(&mut self, operation: &str) -> Option<Fault> {
        if let Some(Fault::After { requests, then }) = &mut self.fault {
            let then = (**then).clone();
            *requests = match requests.checked_sub(1) {
                Some(left) => left,
                None => {
                    self.fault = Some(then);
                    return self.fault_of(operation);
                }
            };
            return None;
        }
        let fault = self.fault.clone();
        match &mut self.fault {
            Some(
                Fault::LosesAnswersOf {
                    operation: only, ..
                }
                | Fault::AnswersTo {
                    operation: only, ..
                }
                | Fault::Gathers {
                    operation: only, ..
                },
            ) if *only != operation => None,
            Some(Fault::Gathers { requests, .. }) => {
                *requests = requests.saturating_sub(1);
                fault
            }
            Some(
                Fault::LosesAnswers { times }
                | Fault::LosesAnswersOf { times, .. }
                | Fault::AnswersTo { times, .. },
            ) => {
                *times = times.checked_sub(1)?;
                fault
            }
            _ => fault,
        }
    }

    fn is_gathering(&self) -> bool {
        matches!(self.fault, Some(Fault::Gathers { requests: 1.., .. }))
    }
}

/// The relay. Dropping it closes it.
pub struct Relay {
    address: SocketAddr,
    upstream: String,
    state: Arc<Mutex<State>>,
    server: Mutex<JoinSet<()>>,
}

impl Relay {
    /// A relay to the service at this URL.
    pub async fn start(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            upstream,
            state: Arc::default(),
            server: Mutex::default(),
        };
        relay.serve(listener);
        relay
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks the service.
    pub fn break_it(&self, fault: Fault) {
        if fault == Fault::Refuses {
            self.server.lock().unwrap().abort_all();
        }
        self.state().fault = Some(fault);
    }

    /// Mends it.
    pub async fn mend(&self) {
        let was = self.state().fault.take();
        if was == Some(Fault::Refuses) {
            // The aborted server's socket may take a moment to go.
            let listener = loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => break listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            };
            self.serve(listener);
        }
    }

    /// Whether all that [`Fault::Gathers`] waits for have come.
    pub fn has_gathered(&self) -> bool {
        !self.state().is_gathering()
    }

    /// All that has passed.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, listener: TcpListener) {
        let (state, upstream) = (self.state.clone(), self.upstream.clone());
        let client = reqwest::Client::new();
        self.server.lock().unwrap().spawn(async move {
            // Dropped with the listener, so that refusing also cuts the connections there are.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (state, upstream, client) = (state.clone(), upstream.clone(), client.clone());
                let service = service_fn(move |request| {
                    relay(state.clone(), upstream.clone(), client.clone(), request)
                });
                connections.spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    }
}

async fn relay(
    state: Arc<Mutex<State>>,
    upstream: String,
    client: reqwest::Client,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let came_in = Instant::now();
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (operation, permissions) = describe(&parts.headers, &body);
    let (fault, call) = {
        let mut state = state.lock().unwrap();
        let caller = signer(&parts.headers);
        let fault = state.fault_of(&operation);
        state.calls.push(Call {
            caller,
            operation,
            permissions,
            writes: writes(&body),
            during: (came_in, came_in),
        });
        (fault, state.calls.len() - 1)
    };
    match &fault {
        Some(Fault::Hangs | Fault::Refuses) => std::future::pending().await,
        Some(Fault::Answers { status, body } | Fault::AnswersTo { status, body, .. }) => {
            let mut response = Response::new(Full::new(Bytes::from(body.clone())));
            *response.status_mut() = (*status).try_into().unwrap();
            return Ok(response);
        }
        Some(Fault::LosesAnswers { .. } | Fault::LosesAnswersOf { .. }) | None => {}
        Some(Fault::After { .. }) => unreachable!("it is unwrapped"),
        Some(Fault::Gathers { .. }) => gathered(&state).await,
        Some(Fault::IsSlow(wait)) => tokio::time::sleep(*wait).await,
    }
    let forwarded = client.post(&upstream).headers(parts.headers).body(body);
    let answer = forwarded.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Full::new(answer.bytes().await.unwrap()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(Fault::LosesAnswers { .. } | Fault::LosesAnswersOf { .. }) = fault {
        std::future::pending().await
    }
    state.lock().unwrap().calls[call].during.1 = Instant::now();
    Ok(response)
}

/// Waits until all requests have come, or for two seconds: with [`super::app::PATIENT`], a function does
/// not wait much longer.
async fn gathered(state: &Mutex<State>) {
    let begun = Instant::now();
    let is_gathering = || state.lock().unwrap().is_gathering();
    while is_gathering() && begun.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
