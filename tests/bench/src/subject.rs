//! A measured binary and its process.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use flate2::{Compression, write::DeflateEncoder};

use crate::{Error, runtime_api::RuntimeApi};

/// The bytes that a zip file with one member adds to the compressed data: two headers with the name, and
/// the end record.
const ZIP_FRAME: u64 = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;

/// A binary and its environment variables.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name in the report.
    pub name: String,
    /// The file of the binary.
    pub binary: PathBuf,
    /// Its environment variables, without those that Lambda sets.
    pub environment: BTreeMap<String, String>,
}

/// A running function. Dropping it ends the process.
#[derive(Debug)]
pub struct Started {
    /// The time from the process's creation to its first poll.
    pub start: Duration,
    process: Child,
}

impl Subject {
    /// Starts a new process and waits for its first poll.
    ///
    /// # Errors
    /// If it can't be started or does not poll.
    pub fn start(&self, api: &mut RuntimeApi) -> Result<Started, Error> {
        api.reset();
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .envs(&self.environment)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let failed = |error: Error| format!("{} does not start: {error}", self.name);
        let before = Instant::now();
        let process = command.spawn().map_err(|error| failed(error.into()))?;
        let mut started = Started {
            start: Duration::ZERO,
            process,
        };
        started.start = api.polled().map_err(failed)? - before;
        Ok(started)
    }

    /// The sizes of the binary and of the zip file that is deployed, in bytes.
    ///
    /// # Errors
    /// If the binary can't be read.
    pub fn sizes(&self) -> io::Result<(u64, u64)> {
        sizes(&self.binary)
    }
}

fn sizes(binary: &Path) -> io::Result<(u64, u64)> {
    let bytes = fs::read(binary)?;
    let mut zip = DeflateEncoder::new(Vec::new(), Compression::default());
    io::Write::write_all(&mut zip, &bytes)?;
    Ok((bytes.len() as u64, zip.finish()?.len() as u64 + ZIP_FRAME))
}

impl Started {
    /// The process's id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The process's peak memory so far (`VmHWM`), in bytes.
    ///
    /// # Errors
    /// If Linux does not report it.
    pub fn peak_memory(&self) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.ok_or("no VmHWM")?.parse::<u64>()? * 1024)
    }

    /// The processor time that the process has taken so far.
    ///
    /// # Errors
    /// If Linux does not report it.
    pub fn processor(&self) -> Result<Duration, Error> {
        let mut taken = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let file = thread?.path().join("schedstat");
            let stat = fs::read_to_string(file)?;
            let nanoseconds = stat.split_whitespace().next().ok_or("no time")?;
            taken += Duration::from_nanos(nanoseconds.parse()?);
        }
        Ok(taken)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
