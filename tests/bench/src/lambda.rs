//! Measures requests under Lambda's CPU share. A process starts without a limit. From its first poll on it
//! has the part of each slice that comes with its memory size, and between two requests it is frozen.

use std::{
    io::{self, IsTerminal},
    path::Path,
    process,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    runtime::Handle,
    select,
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
};

use crate::{
    Error,
    authority::Authority,
    binaries::Binaries,
    cgroup::Groups,
    measure::{environment_of, settle, start_system},
    requests::{Requests, succeeded},
    runtime_api::RuntimeApi,
    share::{AtSize, Measured, SIZES, phase, quota, start_after},
    subject::{Started, Subject},
    transport::Transport,
};

/// How long a function is at least frozen before a request. Its quota is whole again then.
const REST: Duration = Duration::from_millis(40);

/// Measures so many requests of each of these functions (of all with a route, if there is no name) with each
/// memory size, over TLS.
///
/// # Errors
/// If something fails; binaries that have not been built, for example.
pub fn run(
    root: &Path,
    (functions, requests): (&[String], u32),
    groups: &Arc<Groups>,
    handle: &Handle,
) -> Result<Vec<Measured>, Error> {
    remove_if_interrupted(groups, handle);
    let binaries = Binaries::of(root);
    let system = handle.block_on(start_system(root))?;
    let authority = Authority::new()?;
    let directory = binaries.directory();
    let transport = handle.block_on(Transport::tls(&system.endpoints, &authority, &directory))?;
    let events = root.join("events");
    let mut prepared = Requests::new(&system);
    let mut run = Run {
        groups,
        api: RuntimeApi::start()?,
        transport: &transport,
        began: Instant::now(),
    };
    let on_terminal = io::stderr().is_terminal();
    let mut all = Vec::new();
    for function in system.template.routed() {
        if !functions.is_empty() && !functions.contains(&function.name) {
            continue;
        }
        let Some(binary) = binaries.function(&function.name)? else {
            continue;
        };
        let subject = Subject {
            name: function.name.clone(),
            binary,
            environment: environment_of(function, &transport.endpoints(), &transport.trust),
        };
        let mut sizes = Vec::new();
        for memory in SIZES {
            if on_terminal {
                eprint!("\r{} with {memory} MB\x1b[K", function.name);
            }
            // The first one is not counted.
            let events: Result<Vec<_>, _> = (0..=requests)
                .map(|_| handle.block_on(prepared.event(&events, &function.name)))
                .collect();
            handle.block_on(settle(&system));
            sizes.push(run.requests(&subject, memory, &events?)?);
        }
        all.push(Measured {
            name: function.name.clone(),
            sizes,
        });
    }
    if on_terminal {
        eprint!("\r\x1b[K");
    }
    if all.is_empty() {
        return Err("no binary in target/lambda: first cargo lambda build --release".into());
    }
    Ok(all)
}

/// Ctrl-C and `kill` end this process at once. So they remove the groups.
fn remove_if_interrupted(groups: &Arc<Groups>, handle: &Handle) {
    let groups = Arc::downgrade(groups);
    handle.spawn(async move {
        if interrupted().await.is_ok() {
            if let Some(groups) = groups.upgrade() {
                groups.remove();
            }
            process::exit(130);
        }
    });
}

async fn interrupted() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    select! {
        pressed = ctrl_c() => pressed,
        _ = terminated.recv() => Ok(()),
    }
}

/// All that the requests of a run use.
struct Run<'a> {
    groups: &'a Groups,
    api: RuntimeApi,
    transport: &'a Transport,
    /// The slices are counted from here. The kernel counts them from another moment, which does not matter.
    began: Instant,
}

/// A function in the groups.
struct Limited<'a> {
    groups: &'a Groups,
    /// Dropped after the function runs again.
    started: Started,
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        // With version 1 a frozen process can't be ended.
        let _ = self.groups.thaw();
    }
}

impl Run<'_> {
    /// Starts a function and sends it these events.
    fn requests(
        &mut self,
        subject: &Subject,
        memory: u32,
        events: &[Value],
    ) -> Result<AtSize, Error> {
        let started = subject.start(&mut self.api)?;
        self.groups.limit(started.id(), quota(memory))?;
        let limited = Limited {
            groups: self.groups,
            started,
        };
        let mut of = AtSize {
            memory,
            ..AtSize::default()
        };
        let counted = u32::try_from(events.len())? - 1;
        self.groups.freeze()?;
        for (n, event) in (0..).zip(events) {
            let earliest = self.began.elapsed() + REST;
            let start = start_after(earliest, phase(n, counted));
            thread::sleep(start.saturating_sub(self.began.elapsed()));
            let throttled = self.groups.throttled()?;
            let processor = limited.started.processor()?;
            self.groups.thaw()?;
            let invoked = self.transport.invoke(&mut self.api, event);
            self.groups.freeze()?;
            let (answer, cost) = invoked.map_err(|error| format!("{}: {error}", subject.name))?;
            if !succeeded(&answer.body) {
                let name = &subject.name;
                return Err(format!("{name} answers {} to {event}", answer.body).into());
            }
            if n > 0 {
                of.took.push(answer.took);
                of.billed.push(answer.billed);
                of.waited.push(cost.waited);
                of.processor.push(limited.started.processor()? - processor);
                of.throttled += self.groups.throttled()? - throttled;
            }
        }
        Ok(of)
    }
}
