//! `cargo run -p bench`: see the library.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark's output"
)]

use std::{path::Path, process::ExitCode};

use bench::{Error, measure, measure::Extent, report};
use lexopt::{Arg, ValueExt};
use tokio::runtime::Runtime;

const USAGE: &str = "\
Measures the release binaries in target/lambda against bare functions, on the local system.

Usage: cargo run -p bench -- [OPTIONS] [FUNCTION...]

      --starts N   starts of every binary [default: 15]
      --warm N     warm requests after each [default: 10]
      --no-build   take the bare functions as they were built last
      --json       print JSON in place of the table
      --check      fail when a figure is over its budget
";

struct Arguments {
    extent: Extent,
    build: bool,
    json: bool,
    check: bool,
}

fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments {
        extent: Extent {
            starts: 15,
            warm: 10,
            functions: Vec::new(),
        },
        build: true,
        json: false,
        check: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("starts") => arguments.extent.starts = parser.value()?.parse()?,
            Arg::Long("warm") => arguments.extent.warm = parser.value()?.parse()?,
            Arg::Long("no-build") => arguments.build = false,
            Arg::Long("json") => arguments.json = true,
            Arg::Long("check") => arguments.check = true,
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
    if arguments.build {
        measure::build_bare(&root)?;
    }
    let runtime = Runtime::new()?;
    let measured = measure::run(&root, &arguments.extent, runtime.handle())?;
    if arguments.json {
        println!("{:#}", report::json(&measured));
    } else {
        print!("{}", report::table(&measured));
    }
    let over = report::over_budget(&measured);
    if !arguments.check || over.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for line in over {
        eprintln!("{line}");
    }
    Ok(ExitCode::FAILURE)
}
