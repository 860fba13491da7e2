//! `local`: runs the whole of Latchkey on this machine, until Ctrl-C.

use std::{
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use lexopt::{Arg, Parser, ValueExt};
use local::{Options, StartError, System, Template, demo};
use tracing::level_filters::LevelFilter;

const HELP: &str = "\
The whole of Latchkey in one process: gateway, DynamoDB, SMS inbox, KMS.

Usage: local [OPTIONS]

      --port PORT            the gateway's port [9000]; 0 takes any free one
      --dynamodb-port PORT   DynamoDB's port [8000]
      --sns-port PORT        the port of SNS [9911]
      --kms-port PORT        the port of KMS [9912]
      --bind ADDRESS         the address all of them listen on [127.0.0.1]
      --cors-origin ORIGIN   let pages of this origin call the gateway; may be repeated
      --throttle             refuse requests above ApiRateLimit and ApiBurstLimit, as AWS does
      --data-dir DIR         keep the tables in DIR across restarts; otherwise in memory
      --template FILE        the SAM template [template.yaml]
  -h, --help                 print this

Environment variables that the template gives its functions win over the template:
ALLOWED_COUNTRY_CODES=86,1 local
";

#[tokio::main]
async fn main() -> ExitCode {
    log_to_stderr();
    let options = match arguments(Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(2, format_args!("{error} (see --help)")),
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, error),
    }
}

/// The options; `None` when `--help` is given.
fn arguments(mut parser: Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        template: default_template(),
        demo_accounts: true,
        ..Options::default()
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("port") => options.gateway_port = parser.value()?.parse()?,
            Arg::Long("dynamodb-port") => options.dynamodb_port = parser.value()?.parse()?,
            Arg::Long("sns-port") => options.sns_port = parser.value()?.parse()?,
            Arg::Long("kms-port") => options.kms_port = parser.value()?.parse()?,
            Arg::Long("bind") => options.bind = parser.value()?.parse()?,
            Arg::Long("cors-origin") => options.cors_origins.push(parser.value()?.string()?),
            Arg::Long("throttle") => options.throttle = true,
            Arg::Long("data-dir") => options.data_dir = Some(parser.value()?.into()),
            Arg::Long("template") => options.template = parser.value()?.into(),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

/// The template in the current directory, or else that of the checkout this binary was built in.
fn default_template() -> PathBuf {
    let here = Path::new("template.yaml");
    if here.exists() {
        here.to_owned()
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml")
    }
}

async fn run(mut options: Options) -> Result<(), StartError> {
    let mut interrupted = std::pin::pin!(interrupted());
    let template = Template::read(&options.template, &options.table_prefix)?;
    options.environment = template
        .functions
        .iter()
        .flat_map(|function| function.environment.keys())
        // The endpoints and credentials are the local system's own.
        .filter(|name| !name.starts_with("AWS_"))
        .filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)))
        .collect();

    let system = System::start(options).await?;
    say(format_args!(
        "Latchkey is ready: gateway {}, DynamoDB {}, SNS {}, KMS {}",
        system.gateway_url, system.endpoints.dynamodb, system.endpoints.sns, system.endpoints.kms
    ));
    for user in &demo::USERS {
        say(format_args!(
            "demo account {}: country code {}, phone {}, password {}",
            user.name, user.country_code, user.phone, user.password
        ));
    }

    let mut inbox = system.inbox.subscribe();
    let mut shown = 0;
    loop {
        let messages = inbox.borrow_and_update().clone();
        for sms in &messages[shown..] {
            say(format_args!("SMS to {}: {}", sms.phone, sms.message));
        }
        shown = messages.len();
        tokio::select! {
            _ = inbox.changed() => {}
            () = &mut interrupted => break,
        }
    }
    system.stop().await;
    Ok(())
}

/// Completes when the process is asked to end, by Ctrl-C or SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // If no handler can be installed, the signal ends the process at once.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Writes the functions' log lines to standard error: warnings and errors, or from `LOG_LEVEL` up. At
/// `info` and below their metrics too.
fn log_to_stderr() {
    let level = std::env::var("LOG_LEVEL").unwrap_or_default();
    let level = level.parse().unwrap_or(LevelFilter::WARN);
    let subscriber = shared::telemetry::log::subscriber(level, to_stderr);
    // It fails only if a subscriber is already set; none is.
    let _ = tracing::subscriber::set_global_default(subscriber);
    if level >= LevelFilter::INFO {
        shared::telemetry::emf::write_to(to_stderr);
    }
}

fn to_stderr(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints a line. A closed standard output is no error.
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn fail(code: u8, why: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "local: {why}");
    ExitCode::from(code)
}
