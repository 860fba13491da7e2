//! `cargo run -p bench`: measures the release binaries, see the library.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark's output"
)]

use std::{
    num::NonZeroU32,
    path::Path,
    process::{self, ExitCode},
    sync::Arc,
};

use bench::{
    Error,
    binaries::Binaries,
    cgroup::Groups,
    growth, hidden, lambda,
    measure::{self, Extent},
    report,
    samples::Measured,
    share,
};
use lexopt::{Arg, ValueExt};
use tokio::runtime::Runtime;

const USAGE: &str = "\
Measures the release binaries in target/lambda against bare functions, on the local system.

Usage: cargo run -p bench -- [OPTIONS] [FUNCTION...]
       cargo run -p bench -- --lambda [--requests N] [--json] [--check] [FUNCTION...]
       cargo run -p bench -- --hidden [--check]
       cargo run -p bench -- --growth N

      --starts N      starts of every binary [default: 15]
      --warm N        warm requests after each start [default: 10]
      --as-it-comes   compare with the SDK as it comes, too; the first time this builds it for 5 minutes
      --no-build      use the bare functions of the last build
      --json          print JSON instead of the table
      --check         measure functions over a budget again; fail if one still is
      --lambda        measure requests under Lambda's CPU share, by memory size; needs control groups that
                      it can write (root)
      --requests N    requests with each memory size [default: 50]
      --hidden        where users are hidden, time requests for known and unknown phones; with --check, fail
                      if the times tell them apart
      --growth N      compare what requests consume with 10 and with N accounts and codes in the tables
";

struct Arguments {
    extent: Extent,
    build: bool,
    json: bool,
    check: bool,
    lambda: bool,
    requests: u32,
    hidden: bool,
    growth: Option<u32>,
}

fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments {
        extent: Extent {
            starts: 15,
            warm: 10,
            functions: Vec::new(),
            as_it_comes: false,
        },
        build: true,
        json: false,
        check: false,
        lambda: false,
        requests: 50,
        hidden: false,
        growth: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("starts") => arguments.extent.starts = parser.value()?.parse()?,
            Arg::Long("warm") => arguments.extent.warm = parser.value()?.parse()?,
            Arg::Long("as-it-comes") => arguments.extent.as_it_comes = true,
            Arg::Long("no-build") => arguments.build = false,
            Arg::Long("json") => arguments.json = true,
            Arg::Long("check") => arguments.check = true,
            Arg::Long("lambda") => arguments.lambda = true,
            Arg::Long("requests") => {
                arguments.requests = parser.value()?.parse::<NonZeroU32>()?.get();
            }
            Arg::Long("hidden") => arguments.hidden = true,
            Arg::Long("growth") => arguments.growth = Some(parser.value()?.parse()?),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(function) => arguments.extent.functions.push(function.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

fn main() -> Result<ExitCode, Error> {
    let Some(arguments) = arguments()? else {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).canonicalize()?;
    if let Some(size) = arguments.growth {
        return Runtime::new()?.block_on(grow(&root, size));
    }
    if arguments.hidden {
        return tell_apart(&root, arguments.check);
    }
    if arguments.lambda {
        return under_share(&root, &arguments);
    }
    if arguments.build {
        Binaries::of(&root).build_bare(arguments.extent.as_it_comes)?;
    }
    let runtime = Runtime::new()?;
    let mut measured = measure::run(&root, &arguments.extent, runtime.handle())?;
    if arguments.check {
        // Other load on the machine may explain one result over a budget, but not two.
        let functions = over_budget(&measured);
        if !functions.is_empty() {
            let again = Extent {
                starts: 3 * arguments.extent.starts,
                functions,
                ..arguments.extent
            };
            for second in measure::run(&root, &again, runtime.handle())? {
                let first = measured.iter_mut().find(|first| first.name == second.name);
                *first.ok_or("another function was measured")? = second;
            }
        }
    }
    if arguments.json {
        println!("{:#}", report::json(&measured));
    } else {
        print!("{}", report::table(&measured));
    }
    let over = arguments.check && !over_budget(&measured).is_empty();
    Ok(ExitCode::from(u8::from(over)))
}

/// The names of the functions over a budget. Prints which budgets, and by how much.
fn over_budget(measured: &[Measured]) -> Vec<String> {
    let mut over = Vec::new();
    for function in measured {
        let lines = report::over_budget(function);
        for line in &lines {
            eprintln!("{line}");
        }
        if !lines.is_empty() {
            over.push(function.name.clone());
        }
    }
    for (name, line) in report::tokens_over_budget(measured) {
        eprintln!("{line}");
        // It is measured again beside what it is compared with.
        over.extend([name, "info".to_owned()]);
    }
    over
}

/// Measures requests under Lambda's CPU share, where control groups can be written.
fn under_share(root: &Path, arguments: &Arguments) -> Result<ExitCode, Error> {
    let name = format!("latchkey-bench-{}", process::id());
    let groups = match Groups::make(Path::new("/sys/fs/cgroup"), &name) {
        Ok(groups) => Arc::new(groups),
        Err(error) => {
            eprintln!(
                "not measured under Lambda's CPU share, as no control group can be made: {error}"
            );
            return Ok(ExitCode::SUCCESS);
        }
    };
    let runtime = Runtime::new()?;
    let extent = (&*arguments.extent.functions, arguments.requests);
    let measured = lambda::run(root, extent, &groups, runtime.handle())?;
    if arguments.json {
        println!("{:#}", share::json(&measured));
    } else {
        print!("{}", share::table(&measured));
    }
    let mut code = ExitCode::SUCCESS;
    if arguments.check {
        for line in share::without_effect(&measured) {
            eprintln!("{line}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Times requests for known and unknown phones where users are hidden.
fn tell_apart(root: &Path, check: bool) -> Result<ExitCode, Error> {
    let runtime = Runtime::new()?;
    let told = hidden::run(root, runtime.handle())?;
    print!("{}", hidden::table(&told));
    let tells = check && told.iter().any(hidden::Told::tells);
    Ok(ExitCode::from(u8::from(tells)))
}

/// Compares what requests consume with few and with many accounts; fails on a difference.
async fn grow(root: &Path, size: u32) -> Result<ExitCode, Error> {
    let few = growth::run(root, 10).await?;
    let many = growth::run(root, size).await?;
    print!("{}", growth::table(&many));
    let differences = growth::differences(&few, &many);
    for line in &differences {
        eprintln!("{line}");
    }
    Ok(ExitCode::from(u8::from(!differences.is_empty())))
}
