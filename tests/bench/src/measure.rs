//! A run: every function beside the bare ones, in turn, so that what else the machine does meets all.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use local::{
    Options, System,
    environment::{self, Endpoints},
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, time::sleep};

use crate::{
    Error,
    authority::Authority,
    relay::{Call, Relay, rounds, sequential_depth, waited},
    requests::{Requests, hashes_a_password, succeeded},
    runtime_api::{Answered, RuntimeApi},
    subject::Subject,
};

/// How often a function, and beside it the bare one, is started alone for one start that is asked for
/// something.
const STARTS_A_ROUND: usize = 4;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Starts of every binary.
    pub starts: usize,
    /// Warm requests after the first one of every start.
    pub warm: usize,
    /// The functions; all that have been built, when empty.
    pub functions: Vec<String>,
}

/// What one binary did over one transport.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// From the process's creation to its first poll.
    pub start: Vec<Duration>,
    /// First requests.
    pub first: Vec<Duration>,
    /// How much of each of them the endpoints took.
    pub first_waited: Vec<Duration>,
    /// Warm requests.
    pub warm: Vec<Duration>,
    /// How much of each of them the endpoints took.
    pub warm_waited: Vec<Duration>,
    /// Start and first request together.
    pub cold: Vec<Duration>,
    /// The most memory of any start, in bytes.
    pub memory: u64,
}

/// What a request costs at the endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// DynamoDB's operations and SNS's before the answer: those of a round at once, one round after
    /// the other.
    pub rounds: Vec<Vec<String>>,
    /// Requests to DynamoDB, those after the answer among them.
    pub dynamodb: usize,
    /// How many wait for one another before the answer.
    pub depth: usize,
    /// Requests to SNS.
    pub sns: usize,
    /// How long the endpoints took for it.
    pub waited: Duration,
}

/// A function and those it is measured against.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Whether it hashes a password. Such a one has no budget but its size, and no bare one beside it.
    pub hashes: bool,
    /// Its binary's size and its zip's, in bytes.
    pub sizes: (u64, u64),
    /// What a request costs.
    pub cost: Cost,
    /// Where nothing listens: what a start takes without its connections.
    pub alone: Samples,
    /// Over plain HTTP.
    pub plain: Samples,
    /// Over TLS.
    pub tls: Samples,
    /// A constant answer through `lambda_http`.
    pub bare_http: Samples,
    /// The same SDK calls with the same remedies, over plain HTTP.
    pub bare_sdk_plain: Samples,
    /// The same over TLS.
    pub bare_sdk: Samples,
    /// The same SDK calls with the SDK's defaults, over TLS.
    pub defaults: Samples,
}

/// Builds the bare functions: with the remedies, and as the SDK comes. For the glibc that `cargo lambda build`
/// takes unless told otherwise.
///
/// # Errors
/// When `cargo lambda build` fails.
pub fn build_bare(root: &Path) -> Result<(), Error> {
    let builds = [
        ("remedies", "release", "1"),
        ("sdk-defaults", "as-it-comes", "0"),
    ];
    for (features, profile, no_jitter_entropy) in builds {
        let status = Command::new("cargo")
            .args(["lambda", "build", "--locked", "--profile", profile])
            .args(["--features", features, "--manifest-path"])
            .arg(root.join("tests/bench/bare/Cargo.toml"))
            .arg("--lambda-dir")
            .arg(root.join("target/bench").join(features))
            .env("CARGO_TARGET_DIR", root.join("target/bench/cargo"))
            .env("AWS_LC_SYS_NO_JITTER_ENTROPY", no_jitter_entropy)
            .status()?;
        if !status.success() {
            return Err("cargo lambda build of the bare functions fails".into());
        }
    }
    Ok(())
}

/// A transport: relays before DynamoDB and SNS, and the authorities to trust.
struct Transport {
    dynamodb: Relay,
    sns: Relay,
    trust: BTreeMap<String, String>,
}

impl Transport {
    fn endpoints(&self) -> Endpoints {
        Endpoints {
            dynamodb: self.dynamodb.url(),
            sns: self.sns.url(),
        }
    }

    /// Sends a function an event. What passes until it is answered is waited for; the rest is not.
    fn invoke(&self, api: &mut RuntimeApi, event: &Value) -> Result<(Answered, Cost), Error> {
        let before = (self.dynamodb.count(), self.sns.count());
        let answered = api.invoke(event)?;
        let dynamodb = self.dynamodb.calls_since(before.0);
        let sns = self.sns.calls_since(before.1);
        let in_time = |calls: &[Call]| -> Vec<Call> {
            let calls = calls.iter().filter(|call| call.during.1 <= answered.at);
            calls.cloned().collect()
        };
        let in_turn = in_time(&dynamodb);
        let waited_for = [in_turn.clone(), in_time(&sns)].concat();
        let cost = Cost {
            rounds: rounds(&waited_for),
            dynamodb: dynamodb.len(),
            depth: sequential_depth(&in_turn),
            sns: sns.len(),
            waited: waited(&waited_for),
        };
        Ok((answered, cost))
    }
}

/// Measures everything.
///
/// # Errors
/// What does not work, for a start the binaries that have to be built before.
pub fn run(root: &Path, extent: &Extent, handle: &Handle) -> Result<Vec<Measured>, Error> {
    let options = Options {
        template: root.join("template.yaml"),
        gateway_port: 0,
        dynamodb_port: 0,
        sns_port: 0,
        trust_source_ip_header: true,
        environment: overrides(&BTreeMap::new()),
        ..Options::default()
    };
    let system = handle.block_on(System::start(options))?;
    let authority = Authority::new()?;
    let transport = async |tls: bool| -> Result<Transport, Error> {
        let server = tls.then(|| authority.server.clone());
        Ok(Transport {
            dynamodb: Relay::start(&system.endpoints.dynamodb, server.clone()).await?,
            sns: Relay::start(&system.endpoints.sns, server).await?,
            trust: if tls {
                trust(root, &authority)?
            } else {
                BTreeMap::new()
            },
        })
    };
    let (plain, tls) = (
        handle.block_on(transport(false))?,
        handle.block_on(transport(true))?,
    );
    let mut requests = Requests::new(&system);
    let mut api = RuntimeApi::start()?;

    // Port 1 (tcpmux) refuses at once.
    let nowhere = Endpoints {
        dynamodb: "http://127.0.0.1:1".to_owned(),
        sns: "http://127.0.0.1:1".to_owned(),
    };

    let mut all: Vec<Measured> = Vec::new();
    let mut subjects = Vec::new();
    for function in &system.template.functions {
        let wanted = extent.functions.is_empty() || extent.functions.contains(&function.name);
        let binary = bootstrap(&root.join("target/lambda"), &function.name);
        if !wanted || !binary.exists() {
            continue;
        }
        let binary = copied(root, &binary, &function.name)?;
        let subject = |endpoints: &Endpoints, trust: &BTreeMap<String, String>| Subject {
            name: function.name.clone(),
            binary: binary.clone(),
            environment: environment::of(function, endpoints, &overrides(trust)),
        };
        let alone = subject(&nowhere, &BTreeMap::new());
        let over_plain = subject(&plain.endpoints(), &plain.trust);
        let over_tls = subject(&tls.endpoints(), &tls.trust);
        all.push(Measured {
            name: function.name.clone(),
            hashes: hashes_a_password(&function.name),
            sizes: over_plain.sizes()?,
            ..Measured::default()
        });
        subjects.push((alone, over_plain, over_tls));
    }
    if all.is_empty() {
        return Err("no binary in target/lambda: first cargo lambda build --release".into());
    }
    let (read_user, read_code) = handle.block_on(requests.sample())?;
    let bare = |name: &str, binary: &Path, transport: &Transport, calls: &[Vec<String>]| {
        let tables = &system.template.functions[0];
        let mut environment =
            environment::of(tables, &transport.endpoints(), &overrides(&transport.trust));
        let rounds: Vec<String> = calls.iter().map(|round| round.join("+")).collect();
        environment.insert("CALLS".to_owned(), rounds.join(","));
        environment.insert("READ_USER".to_owned(), read_user.clone());
        environment.insert("READ_CODE".to_owned(), read_code.clone());
        Subject {
            name: name.to_owned(),
            binary: binary.to_owned(),
            environment,
        }
    };
    let built = root.join("target/bench");
    let copy_of = |features: &str, name: &str| {
        let binary = bootstrap(&built.join(features), name);
        copied(root, &binary, &format!("{features}-{name}"))
    };
    let bare_http = copy_of("remedies", "bare-http")?;
    let bare_sdk = copy_of("remedies", "bare-sdk")?;
    let defaults = copy_of("sdk-defaults", "bare-sdk")?;

    let any = json!({"version": "2.0", "routeKey": "POST /", "rawPath": "/", "rawQueryString": "",
        "headers": {"host": "bench"}, "isBase64Encoded": false, "body": "{}",
        "requestContext": {"accountId": "0", "apiId": "0", "domainName": "bench", "domainPrefix": "bench",
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "10.0.0.1",
                "userAgent": ""},
            "requestId": "0", "routeKey": "POST /", "stage": "$default", "time": "", "timeEpoch": 0}});
    let same = vec![any; 1 + extent.warm];
    let directory = root.join("events");
    // The starts that are compared follow one another, after one that wakes the machine, and before
    // anything is asked of the local system: it goes on with its work when it has answered. They are quick,
    // and a few of them tell little.
    let nothing = bare("bare-http", &bare_http, &plain, &[]);
    for _ in 0..extent.starts {
        for (measured, (alone, _, _)) in all.iter_mut().zip(&subjects) {
            sample(&mut api, &nothing, &[], &plain, &mut Samples::default())?;
            for _ in 0..STARTS_A_ROUND {
                sample(&mut api, alone, &[], &plain, &mut measured.alone)?;
                sample(&mut api, &nothing, &[], &plain, &mut measured.bare_http)?;
            }
        }
    }
    for round in 0..extent.starts {
        if io::stderr().is_terminal() {
            eprint!("\rstart {} of {}", round + 1, extent.starts);
        }
        for (measured, (_, over_plain, over_tls)) in all.iter_mut().zip(&subjects) {
            // Hashing takes its time, here and in what comes before a request.
            let asked = match measured.hashes {
                true if round % 3 > 0 => 0,
                true => 1 + extent.warm.min(3),
                false => 1 + extent.warm,
            };
            let mut events = || -> Result<Vec<Value>, Error> {
                let mut event = || handle.block_on(requests.event(&directory, &measured.name));
                (0..asked).map(|_| event()).collect()
            };
            let (for_plain, for_tls) = (events()?, events()?);
            // What making them has set going shall not be in the way of what is measured.
            handle.block_on(async {
                for app in system.apps.values() {
                    app.background.settle().await;
                }
                sleep(Duration::from_millis(50)).await;
            });
            let sampled = sample(
                &mut api,
                over_plain,
                &for_plain,
                &plain,
                &mut measured.plain,
            )?;
            // On a busy machine one of two that are asked for at once may be answered before the
            // other has been sent.
            let best = measured.cost.depth;
            if !for_plain.is_empty() && (best == 0 || sampled.depth < best) {
                measured.cost = sampled;
            }
            sample(&mut api, over_tls, &for_tls, &tls, &mut measured.tls)?;
            if measured.hashes {
                continue;
            }
            let calls = &measured.cost.rounds;
            for (binary, transport, samples) in [
                (&bare_sdk, &plain, &mut measured.bare_sdk_plain),
                (&bare_sdk, &tls, &mut measured.bare_sdk),
                (&defaults, &tls, &mut measured.defaults),
            ] {
                sample(
                    &mut api,
                    &bare("bare-sdk", binary, transport, calls),
                    &same,
                    transport,
                    samples,
                )?;
            }
        }
    }
    if io::stderr().is_terminal() {
        eprintln!();
    }
    Ok(all)
}

/// Starts a binary once and sends it these events. Gives what the last one cost.
fn sample(
    api: &mut RuntimeApi,
    subject: &Subject,
    events: &[Value],
    transport: &Transport,
    samples: &mut Samples,
) -> Result<Cost, Error> {
    let started = subject.start(api)?;
    samples.start.push(started.start);
    let mut cost = Cost::default();
    for (n, event) in events.iter().enumerate() {
        let invoked = transport.invoke(api, event);
        let (answer, passed) = invoked.map_err(|error| format!("{}: {error}", subject.name))?;
        if !succeeded(&answer.body) {
            return Err(format!(
                "{} answers {} to {event}; are the binaries of these sources?",
                subject.name, answer.body
            )
            .into());
        }
        let took = answer.took;
        if n == 0 {
            samples.first.push(took);
            samples.first_waited.push(passed.waited);
            samples.cold.push(started.start + took);
        } else {
            samples.warm.push(took);
            samples.warm_waited.push(passed.waited);
        }
        cost = passed;
    }
    samples.memory = samples.memory.max(started.peak_memory()?);
    Ok(cost)
}

/// Where the local system is unlike the template: sources are counted.
fn overrides(trust: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut overrides = trust.clone();
    overrides.insert("SENDS_PER_ADDRESS_DAY".to_owned(), "100".to_owned());
    // What is sent here in a minute would look like an attack, and cost a fortune.
    overrides.insert("FRAUD_UNVERIFIED_A_DAY".to_owned(), "1000000".to_owned());
    overrides.insert("DAILY_SPEND_USD".to_owned(), "1000000".to_owned());
    overrides
}

/// A copy that this process has written. How a file came about decides how it lies in the page cache, and
/// that changes a start by a twentieth: those that are compared come about alike.
fn copied(root: &Path, binary: &Path, name: &str) -> Result<PathBuf, Error> {
    let directory = root.join("target/bench/copies");
    fs::create_dir_all(&directory)?;
    let copy = directory.join(name);
    let bytes = fs::read(binary).map_err(|error| format!("{}: {error}", binary.display()))?;
    fs::write(&copy, bytes)?;
    fs::set_permissions(&copy, fs::metadata(binary)?.permissions())?;
    Ok(copy)
}

fn bootstrap(lambda: &Path, name: &str) -> PathBuf {
    lambda.join(name).join("bootstrap")
}

/// The authority alone for those who trust Amazon besides, and with all the system's for those who
/// trust whatever the system does.
fn trust(root: &Path, authority: &Authority) -> Result<BTreeMap<String, String>, Error> {
    let directory = root.join("target/bench");
    fs::create_dir_all(&directory)?;
    let (bundle, system) = (
        directory.join("authority.pem"),
        directory.join("system.pem"),
    );
    fs::write(&bundle, &authority.pem)?;
    let of_system = [
        env::var("SSL_CERT_FILE").unwrap_or_default(),
        "/etc/pki/tls/certs/ca-bundle.crt".to_owned(), // Amazon Linux
        "/etc/ssl/certs/ca-certificates.crt".to_owned(),
    ];
    let roots = of_system
        .iter()
        .find_map(|file| fs::read_to_string(file).ok());
    let roots = roots.ok_or("the system's authorities are nowhere to be found")?;
    fs::write(&system, format!("{roots}\n{}", authority.pem))?;
    let variable = |name: &str, file: &Path| (name.to_owned(), file.display().to_string());
    Ok([
        variable("AWS_CA_BUNDLE", &bundle),
        variable("SSL_CERT_FILE", &system),
    ]
    .into())
}
