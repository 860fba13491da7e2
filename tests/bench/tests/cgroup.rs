//! The kernel does what the groups ask for. Where they can't be made, the test passes without a check.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests"
)]

use std::{
    fs,
    path::Path,
    process::{self, Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use bench::cgroup::Groups;

/// How long a process may wait for a processor on a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that works without pause. Dropping it ends it.
struct Busy(Child);

impl Busy {
    fn start() -> Self {
        let mut command = Command::new("sh");
        Self(command.args(["-c", "while :; do :; done"]).spawn().unwrap())
    }

    /// The processor time that it takes in half a second at least, and in how long.
    fn takes(&self) -> (Duration, Duration) {
        let (before, begun) = (self.taken(), Instant::now());
        sleep(Duration::from_millis(500));
        let taken = self.taken() - before;
        (taken, begun.elapsed())
    }

    /// Waits until it has taken so much processor time more: other load on the machine may delay it.
    fn wait_until_it_takes(&self, more: Duration) {
        let (before, begun) = (self.taken(), Instant::now());
        while self.taken() - before < more {
            assert!(begun.elapsed() < PATIENCE, "it does not run");
            sleep(Duration::from_millis(10));
        }
    }

    fn taken(&self) -> Duration {
        let taken = fs::read_to_string(format!("/proc/{}/schedstat", self.0.id())).unwrap();
        let taken = taken.split(' ').next().unwrap();
        Duration::from_nanos(taken.parse().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processors that a process may use.
fn processors(process: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines();
    let processors = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    processors.unwrap().trim().to_owned()
}

#[test]
fn the_kernel_does_what_the_groups_ask_for() {
    let all = processors(process::id());
    let name = format!("latchkey-bench-test-{}", process::id());
    let groups = match Groups::make(Path::new("/sys/fs/cgroup"), &name) {
        Ok(groups) => groups,
        Err(error) => return eprintln!("not tested: {error}"),
    };
    assert_ne!(processors(process::id()), all, "the endpoints have one");

    let busy = Busy::start();
    let quota = Duration::from_millis(2);
    groups.limit(busy.0.id(), quota).unwrap();
    assert_eq!(processors(busy.0.id()), all, "the function sees all");
    // 2 of 20 ms are 10 %, and at most 16 % with what a slice can begin with.
    let (takes, of) = busy.takes();
    assert!(takes < of * 16 / 100, "{takes:?} of {of:?}");
    busy.wait_until_it_takes(Duration::from_millis(20));
    // It wants more than its part of each slice that it has used up.
    let throttled = u32::try_from(groups.throttled().unwrap()).unwrap();
    assert!(throttled > 5, "{throttled} slices for 20 ms and more");
    // It got its part of a slice before it stood still in it: 4 % of the time or more, if nothing else delays it.
    let taken = busy.taken();
    assert!(
        taken * 5 > quota * throttled * 2,
        "{taken:?} in {throttled} slices"
    );

    groups.freeze().unwrap();
    assert_eq!(busy.takes().0, Duration::ZERO, "it is frozen");
    groups.thaw().unwrap();
    busy.wait_until_it_takes(Duration::from_millis(1));

    groups.freeze().unwrap();
    groups.remove();
    assert_eq!(processors(process::id()), all);
    busy.wait_until_it_takes(Duration::from_millis(1));
    let groups_of_busy = fs::read_to_string(format!("/proc/{}/cgroup", busy.0.id())).unwrap();
    assert!(!groups_of_busy.contains(&name), "{groups_of_busy}");
    for controller in ["cpu", "freezer", "cpuset", ""] {
        let root = Path::new("/sys/fs/cgroup").join(controller);
        for group in [
            &name,
            &format!("{name}-function"),
            &format!("{name}-endpoints"),
        ] {
            assert!(!root.join(group).exists(), "{root:?} {group}");
        }
    }
}
