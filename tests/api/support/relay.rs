//! A relay in front of DynamoDB or SNS: it records each call, and injects faults.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    calls::{Call, describe, signer, writes},
    fault::{Fault, WriteFault, cancelled, dynamodb_error},
};

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    calls: Vec<Call>,
}

impl State {
    /// What happens to a request.
    fn fault_of(&mut self, call: &Call) -> Option<Fault> {
        let operation = call.operation.as_str();
        if let Some(Fault::After { requests, then }) = &mut self.fault {
            let then = (**then).clone();
            *requests = match requests.checked_sub(1) {
                Some(left) => left,
                None => {
                    self.fault = Some(then);
                    return self.fault_of(call);
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
            Some(Fault::LeavesKeys { .. }) if operation != "BatchGetItem" => None,
            Some(Fault::OfWrite { write, .. }) if call.write().as_ref() != Some(write) => None,
            Some(Fault::OfWrite { passes, faults, .. }) => {
                if let Some(left) = passes.checked_sub(1) {
                    *passes = left;
                    return None;
                }
                let next = (!faults.is_empty()).then(|| faults.remove(0));
                next.map(|fault| fault.of(call))
            }
            Some(Fault::Gathers { requests, .. }) => {
                *requests = requests.saturating_sub(1);
                fault
            }
            Some(
                Fault::LosesAnswers { times }
                | Fault::LosesAnswersOf { times, .. }
                | Fault::LeavesKeys { times, .. }
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

impl WriteFault {
    /// What it does to this call.
    fn of(self, call: &Call) -> Fault {
        let is_transaction = call.operation == "TransactWriteItems";
        match self {
            Self::Conflicts if is_transaction => {
                cancelled(call.writes.len(), "TransactionConflict")
            }
            Self::Cancelled(reason) if is_transaction => cancelled(call.writes.len(), reason),
            Self::Conflicts | Self::Cancelled(_) => {
                dynamodb_error(400, "TransactionConflictException")
            }
            Self::Fails(code) => dynamodb_error(400, code),
            Self::LosesAnswer => Fault::LosesAnswers { times: 1 },
        }
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
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let came_in = Instant::now();
    let (mut parts, body) = request.into_parts();
    let mut body = body.collect().await?.to_bytes();
    let (operation, permissions) = describe(&parts.headers, &body);
    let (fault, call) = {
        let mut state = state.lock().unwrap();
        let call = Call {
            caller: signer(&parts.headers),
            operation,
            permissions,
            writes: writes(&body),
            during: (came_in, came_in),
        };
        let fault = state.fault_of(&call);
        state.calls.push(call);
        (fault, state.calls.len() - 1)
    };
    let mut left = Value::Null;
    match &fault {
        Some(Fault::Hangs | Fault::Refuses) => std::future::pending().await,
        Some(Fault::Closes) => return Err("closed".into()),
        Some(Fault::Answers { status, body } | Fault::AnswersTo { status, body, .. }) => {
            let mut response = Response::new(Full::new(Bytes::from(body.clone())));
            *response.status_mut() = (*status).try_into().unwrap();
            return Ok(response);
        }
        Some(Fault::LosesAnswers { .. } | Fault::LosesAnswersOf { .. } | Fault::Takes(_))
        | None => {}
        Some(Fault::LeavesKeys { answered, .. }) => {
            (body, left) = split(&body, *answered);
            if *answered == 0 {
                let none = json!({"Responses": {}, "UnprocessedKeys": left});
                return Ok(Response::new(Full::new(none.to_string().into())));
            }
            parts.headers.remove("content-length");
        }
        Some(Fault::After { .. } | Fault::OfWrite { .. }) => unreachable!("it is unwrapped"),
        Some(Fault::Gathers { .. }) => gathered(&state).await,
        Some(Fault::IsSlow(wait)) => tokio::time::sleep(*wait).await,
    }
    let forwarded = client.post(&upstream).headers(parts.headers).body(body);
    let answer = forwarded.send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let mut answer = answer.bytes().await.unwrap();
    if !left.is_null() {
        let mut batch: Value = serde_json::from_slice(&answer).unwrap();
        batch["UnprocessedKeys"] = left;
        answer = batch.to_string().into();
        headers.remove("content-length");
        headers.remove("x-amz-crc32");
    }
    if let Some(Fault::Takes(time)) = fault {
        tokio::time::sleep_until((came_in + time).into()).await;
    }
    let mut response = Response::new(Full::new(answer));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(Fault::LosesAnswers { .. } | Fault::LosesAnswersOf { .. }) = fault {
        std::future::pending().await
    }
    state.lock().unwrap().calls[call].during.1 = Instant::now();
    Ok(response)
}

/// Splits a batch: a request for so many of its keys, and the keys that are left, in the form of
/// `UnprocessedKeys`.
fn split(batch: &[u8], answered: usize) -> (Bytes, Value) {
    let mut now: Value = serde_json::from_slice(batch).unwrap();
    let mut left = now["RequestItems"].clone();
    let mut to_answer = answered;
    for (table, now) in now["RequestItems"].as_object_mut().unwrap() {
        let now = now["Keys"].as_array_mut().unwrap();
        let later = now.split_off(to_answer.min(now.len()));
        to_answer -= now.len();
        left[table]["Keys"] = later.into();
    }
    let keep_some = |tables: &mut Value| {
        let tables = tables.as_object_mut().unwrap();
        tables.retain(|_, of_table| of_table["Keys"] != json!([]));
    };
    keep_some(&mut now["RequestItems"]);
    keep_some(&mut left);
    (now.to_string().into(), left)
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
