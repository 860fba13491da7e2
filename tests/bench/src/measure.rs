//! A run: starts every function and the bare functions in turn, so that other load on the machine affects
//! all of them alike.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use local::{
    Options, StartError, System,
    environment::{self, Endpoints},
    template::Function,
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, time::sleep};

use crate::{
    Error,
    authority::Authority,
    binaries::Binaries,
    requests::{Requests, Sample, hashes_a_password, is_compared, succeeded},
    runtime_api::RuntimeApi,
    samples::{Cost, Measured, Samples},
    subject::Subject,
    transport::Transport,
};

/// Starts without requests, of a function and of the bare one beside it, for each start with requests.
const STARTS_A_ROUND: usize = 12;

/// Of the rounds with requests, functions that hash a password take part in one of so many.
const HASHING_EVERY: usize = 3;

/// The most warm requests of a function that hashes a password: each takes some 50 ms, and so does the
/// preparation of each.
const HASHING_WARM: usize = 3;

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Starts with requests, of every binary.
    pub starts: usize,
    /// Warm requests after the first request of every start.
    pub warm: usize,
    /// The functions' names. All built ones if empty.
    pub functions: Vec<String>,
    /// Whether to measure the bare function with the SDK as it comes, too.
    pub as_it_comes: bool,
}

/// Measures the functions.
///
/// # Errors
/// If something fails; binaries that have not been built, for example.
pub fn run(root: &Path, extent: &Extent, handle: &Handle) -> Result<Vec<Measured>, Error> {
    let binaries = Binaries::of(root);
    let system = handle.block_on(start_system(root))?;
    let authority = Authority::new()?;
    let plain = handle.block_on(Transport::plain(&system.endpoints))?;
    let directory = binaries.directory();
    let tls = handle.block_on(Transport::tls(&system.endpoints, &authority, &directory))?;
    let mut requests = Requests::new(&system);
    let read = handle.block_on(requests.sample())?;
    let bare = Bare {
        http: binaries.bare("bare-http")?,
        sdk: binaries.bare("bare-sdk")?,
        as_it_comes: if extent.as_it_comes {
            Some(binaries.bare_as_it_comes("bare-sdk")?)
        } else {
            None
        },
        read,
    };
    let mut candidates = candidates(&system, binaries, extent, (&plain, &tls))?;
    let mut run = Run {
        extent,
        handle,
        events: root.join("events"),
        system: &system,
        requests,
        api: RuntimeApi::start()?,
        plain: &plain,
        tls: &tls,
        bare: &bare,
    };
    // All starts without requests come first: after a request the local system still works on what the
    // answer left to do.
    run.starts(&mut candidates)?;
    run.requests(&mut candidates)?;
    let measured = candidates.into_iter().map(|candidate| candidate.measured);
    Ok(measured.collect())
}

/// Starts the local system that the measured functions call.
pub(crate) async fn start_system(root: &Path) -> Result<System, StartError> {
    let options = Options {
        template: root.join("template.yaml"),
        gateway_port: 0,
        dynamodb_port: 0,
        sns_port: 0,
        kms_port: 0,
        trust_source_ip_header: true,
        environment: overrides(),
        ..Options::default()
    };
    System::start(options).await
}

/// A function to measure: its binary in three environments, and its samples so far.
struct Candidate<'a> {
    function: &'a Function,
    alone: Subject,
    plain: Subject,
    tls: Subject,
    measured: Measured,
}

fn candidates<'a>(
    system: &'a System,
    binaries: Binaries<'_>,
    extent: &Extent,
    (plain, tls): (&Transport, &Transport),
) -> Result<Vec<Candidate<'a>>, Error> {
    let mut candidates = Vec::new();
    for function in &system.template.functions {
        if !extent.functions.is_empty() && !extent.functions.contains(&function.name) {
            continue;
        }
        // Nobody waits for what operators invoke by hand.
        if function.name.starts_with("admin-") {
            continue;
        }
        let Some(binary) = binaries.function(&function.name)? else {
            continue;
        };
        let subject = |endpoints: &Endpoints, trust: &BTreeMap<String, String>| Subject {
            name: function.name.clone(),
            binary: binary.clone(),
            environment: environment_of(function, endpoints, trust),
        };
        let plain = subject(&plain.endpoints(), &plain.trust);
        candidates.push(Candidate {
            function,
            measured: Measured {
                name: function.name.clone(),
                hashes: hashes_a_password(&function.name),
                compared: is_compared(&function.name),
                sizes: plain.sizes()?,
                ..Measured::default()
            },
            alone: subject(&nowhere(), &BTreeMap::new()),
            plain,
            tls: subject(&tls.endpoints(), &tls.trust),
        });
    }
    if candidates.is_empty() {
        return Err("no binary in target/lambda: first cargo lambda build --release".into());
    }
    Ok(candidates)
}

/// Endpoints where nothing listens: port 1 (tcpmux) refuses connections at once.
fn nowhere() -> Endpoints {
    Endpoints {
        dynamodb: "http://127.0.0.1:1".to_owned(),
        sns: "http://127.0.0.1:1".to_owned(),
        kms: "http://127.0.0.1:1".to_owned(),
        gateway: "http://127.0.0.1:1".to_owned(),
    }
}

/// The bare functions. Each runs in the environment of the function that it is compared with.
struct Bare {
    http: PathBuf,
    sdk: PathBuf,
    as_it_comes: Option<PathBuf>,
    /// What they read.
    read: Sample,
}

impl Bare {
    /// `bare-http` beside this function.
    fn http(&self, function: &Function) -> Subject {
        Subject {
            name: "bare-http".to_owned(),
            binary: self.http.clone(),
            environment: environment_of(function, &nowhere(), &BTreeMap::new()),
        }
    }

    /// `bare-sdk` from the binary with the remedies beside this function, where nothing listens.
    fn sdk_alone(&self, function: &Function) -> Subject {
        let environment = environment_of(function, &nowhere(), &BTreeMap::new());
        self.with_calls(&self.sdk, environment, &[])
    }

    /// `bare-sdk` from this binary beside this function, making these calls.
    fn sdk(
        &self,
        binary: &Path,
        function: &Function,
        transport: &Transport,
        rounds: &[Vec<String>],
    ) -> Subject {
        let environment = environment_of(function, &transport.endpoints(), &transport.trust);
        self.with_calls(binary, environment, rounds)
    }

    fn with_calls(
        &self,
        binary: &Path,
        mut environment: BTreeMap<String, String>,
        rounds: &[Vec<String>],
    ) -> Subject {
        let rounds: Vec<String> = rounds.iter().map(|round| round.join("+")).collect();
        environment.extend([
            ("CALLS".to_owned(), rounds.join(",")),
            ("READ_USER".to_owned(), self.read.user.clone()),
            ("READ_OWNER".to_owned(), self.read.owner.clone()),
            ("READ_CODE".to_owned(), self.read.code.clone()),
        ]);
        Subject {
            name: "bare-sdk".to_owned(),
            binary: binary.to_owned(),
            environment,
        }
    }
}

/// All that the parts of a run use.
struct Run<'a> {
    extent: &'a Extent,
    handle: &'a Handle,
    /// The directory `events`.
    events: PathBuf,
    system: &'a System,
    requests: Requests<'a>,
    api: RuntimeApi,
    plain: &'a Transport,
    tls: &'a Transport,
    bare: &'a Bare,
}

impl Run<'_> {
    /// Starts without requests. They are short and vary much, so there are many. The compared ones
    /// alternate, after one that is not counted and wakes the processor.
    fn starts(&mut self, candidates: &mut [Candidate<'_>]) -> Result<(), Error> {
        for _ in 0..self.extent.starts {
            for candidate in &mut *candidates {
                let function = candidate.function;
                let http = self.bare.http(function);
                let sdk = self.bare.sdk_alone(function);
                let measured = &mut candidate.measured;
                self.sample(&http, &[], self.plain, &mut Samples::default())?;
                for _ in 0..STARTS_A_ROUND {
                    self.sample(&candidate.alone, &[], self.plain, &mut measured.alone)?;
                    self.sample(&sdk, &[], self.plain, &mut measured.bare_sdk_alone)?;
                    self.sample(&http, &[], self.plain, &mut measured.bare_http)?;
                }
            }
        }
        Ok(())
    }

    /// Starts with requests.
    fn requests(&mut self, candidates: &mut [Candidate<'_>]) -> Result<(), Error> {
        let on_terminal = io::stderr().is_terminal();
        for round in 0..self.extent.starts {
            if on_terminal {
                eprint!("\rstart {} of {}", round + 1, self.extent.starts);
            }
            for candidate in &mut *candidates {
                self.requests_of(candidate, round)?;
            }
        }
        if on_terminal {
            eprintln!();
        }
        Ok(())
    }

    fn requests_of(&mut self, candidate: &mut Candidate<'_>, round: usize) -> Result<(), Error> {
        let measured = &mut candidate.measured;
        let requests = if !measured.hashes {
            1 + self.extent.warm
        } else if round.is_multiple_of(HASHING_EVERY) {
            1 + self.extent.warm.min(HASHING_WARM)
        } else {
            0
        };
        let for_plain = self.events(&measured.name, requests)?;
        let for_tls = self.events(&measured.name, requests)?;
        self.handle.block_on(settle(self.system));

        let cost = self.sample(
            &candidate.plain,
            &for_plain,
            self.plain,
            &mut measured.plain,
        )?;
        // The lowest depth counts: on a busy machine the first of two simultaneous calls may be answered
        // before the second one is sent, which then looks sequential.
        let lowest = measured.cost.depth;
        if requests > 0 && (lowest == 0 || cost.depth < lowest) {
            measured.cost = cost;
        }
        self.sample(&candidate.tls, &for_tls, self.tls, &mut measured.tls)?;
        if !measured.compared {
            return Ok(());
        }

        let (bare, function) = (self.bare, candidate.function);
        let rounds = &measured.cost.rounds;
        let events = vec![any_event(); requests];
        let plain = bare.sdk(&bare.sdk, function, self.plain, rounds);
        self.sample(&plain, &events, self.plain, &mut measured.bare_sdk_plain)?;
        let tls = bare.sdk(&bare.sdk, function, self.tls, rounds);
        self.sample(&tls, &events, self.tls, &mut measured.bare_sdk)?;
        if let Some(binary) = &bare.as_it_comes {
            let as_it_comes = bare.sdk(binary, function, self.tls, rounds);
            self.sample(&as_it_comes, &events, self.tls, &mut measured.as_it_comes)?;
        }
        Ok(())
    }

    /// So many events that the function answers with success.
    fn events(&mut self, function: &str, count: usize) -> Result<Vec<Value>, Error> {
        let mut event = || {
            let event = self.requests.event(&self.events, function);
            self.handle.block_on(event)
        };
        (0..count).map(|_| event()).collect()
    }

    /// Starts a binary once and sends it these events. Returns the calls of the last one.
    fn sample(
        &mut self,
        subject: &Subject,
        events: &[Value],
        transport: &Transport,
        samples: &mut Samples,
    ) -> Result<Cost, Error> {
        let started = subject.start(&mut self.api)?;
        samples.start.push(started.start);
        let mut last_cost = Cost::default();
        for (n, event) in events.iter().enumerate() {
            let invoked = transport.invoke(&mut self.api, event);
            let (answer, cost) = invoked.map_err(|error| format!("{}: {error}", subject.name))?;
            if !succeeded(&answer.body) {
                return Err(format!(
                    "{} answers {} to {event}; were the binaries built from these sources?",
                    subject.name, answer.body
                )
                .into());
            }
            if n == 0 {
                samples.first.push(answer.took);
                samples.first_waited.push(cost.waited);
                samples.cold.push(started.start + answer.took);
            } else {
                samples.warm.push(answer.took);
                samples.warm_waited.push(cost.waited);
            }
            last_cost = cost;
        }
        samples.memory = samples.memory.max(started.peak_memory()?);
        Ok(last_cost)
    }
}

/// Waits until the local system has finished its deferred work, which would disturb the measurement.
pub(crate) async fn settle(system: &System) {
    for app in system.apps.values() {
        app.background.settle().await;
    }
    sleep(Duration::from_millis(50)).await;
}

/// A function's environment variables.
pub(crate) fn environment_of(
    function: &Function,
    endpoints: &Endpoints,
    trust: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut overrides = overrides();
    overrides.extend(trust.clone());
    environment::of(function, endpoints, &overrides)
}

/// The variables that differ from the local system's. Sends are counted by source, as in AWS. The spend
/// cap and the fraud guard are so high that the benchmark's messages never reach them.
fn overrides() -> BTreeMap<String, String> {
    let overrides = [
        ("SENDS_PER_ADDRESS_DAY", "100"),
        ("FRAUD_UNVERIFIED_A_DAY", "1000000"),
        ("DAILY_SPEND_USD", "1000000"),
    ];
    let overrides = overrides.map(|(name, value)| (name.to_owned(), value.to_owned()));
    overrides.into()
}

/// An event for the bare functions, which answer every event alike.
fn any_event() -> Value {
    json!({
        "version": "2.0",
        "routeKey": "POST /",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"host": "bench"},
        "isBase64Encoded": false,
        "body": "{}",
        "requestContext": {
            "accountId": "0",
            "apiId": "0",
            "domainName": "bench",
            "domainPrefix": "bench",
            "http": {
                "method": "POST",
                "path": "/",
                "protocol": "HTTP/1.1",
                "sourceIp": "10.0.0.1",
                "userAgent": "",
            },
            "requestId": "0",
            "routeKey": "POST /",
            "stage": "$default",
            "time": "",
            "timeEpoch": 0,
        },
    })
}
