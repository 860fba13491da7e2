//! The kernel's side of Lambda's CPU share: control groups, as files under `/sys/fs/cgroup`, of version 1
//! (<https://docs.kernel.org/admin-guide/cgroup-v1/>) or 2
//! (<https://docs.kernel.org/admin-guide/cgroup-v2.html>).
//!
//! The function is in a group with a quota that can also be frozen, and that other load on the machine delays
//! little. This process, with the endpoints in it,
//! is in a group with one processor. The function sees all processors.

use std::{
    fs,
    io::{self, Error, ErrorKind},
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

/// The length of a slice, for which the kernel gives a quota.
pub const SLICE: Duration = Duration::from_millis(20);

/// The time limit for freezing the function, and for removing a group whose last process has just ended.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// The groups of one run. Dropping them removes them; `kill -9` of this process leaves them behind.
#[derive(Debug)]
pub struct Groups {
    version: Version,
    /// All groups.
    root: PathBuf,
    /// The function's group with the quota.
    cpu: PathBuf,
    /// The function's group that is frozen. In version 2 it is the same one.
    freezer: PathBuf,
    /// This process's group.
    endpoints: PathBuf,
}

impl Groups {
    /// Makes groups with this name and moves this process to one processor. `root` is `/sys/fs/cgroup`.
    ///
    /// # Errors
    /// If the groups can't be written or there is only one processor.
    pub fn make(root: &Path, name: &str) -> io::Result<Self> {
        let groups = if root.join("cgroup.controllers").exists() {
            let function = root.join(format!("{name}-function"));
            Self {
                version: Version::V2,
                root: root.to_owned(),
                cpu: function.clone(),
                freezer: function,
                endpoints: root.join(format!("{name}-endpoints")),
            }
        } else {
            Self {
                version: Version::V1,
                root: root.to_owned(),
                cpu: root.join("cpu").join(name),
                freezer: root.join("freezer").join(name),
                endpoints: root.join("cpuset").join(name),
            }
        };
        // From here on, dropping the groups removes what was made.
        groups.fill()?;
        Ok(groups)
    }

    fn fill(&self) -> io::Result<()> {
        if self.version == Version::V2 {
            write(&self.root.join("cgroup.subtree_control"), "+cpu +cpuset")?;
        }
        for group in [&self.cpu, &self.freezer, &self.endpoints] {
            match fs::create_dir(group) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(named(group, &error));
                }
                _ => {}
            }
        }
        // Where no kernel is behind the files, this one is missing.
        self.throttled()?;
        let processors = match self.version {
            Version::V1 => {
                // Unlike version 2, a new group has no memory nodes, and the period is 100 ms.
                let memory = read(&self.root.join("cpuset/cpuset.mems"))?;
                write(&self.endpoints.join("cpuset.mems"), memory.trim())?;
                let period = SLICE.as_micros().to_string();
                write(&self.cpu.join("cpu.cfs_period_us"), &period)?;
                write(&self.cpu.join("cpu.shares"), "262144")?; // the most that there is
                read(&self.root.join("cpuset/cpuset.cpus"))?
            }
            Version::V2 => {
                write(&self.cpu.join("cpu.weight"), "10000")?; // the most that there is
                read(&self.root.join("cpuset.cpus.effective"))?
            }
        };
        let one = first_of_several(processors.trim())
            .ok_or_else(|| Error::other("there is only one processor"))?;
        write(&self.endpoints.join("cpuset.cpus"), one)?;
        write(&processes(&self.endpoints), &process::id().to_string())
    }

    /// Gives the function's process a quota of each slice.
    ///
    /// # Errors
    /// If the groups can't be written.
    pub fn limit(&self, process: u32, quota: Duration) -> io::Result<()> {
        let (process, quota) = (process.to_string(), quota.as_micros());
        match self.version {
            Version::V1 => {
                write(&self.cpu.join("cpu.cfs_quota_us"), &quota.to_string())?;
                // It was started in this process's group, which has one processor.
                write(&processes(&self.root.join("cpuset")), &process)?;
                write(&processes(&self.freezer), &process)?;
            }
            Version::V2 => {
                let of_slice = format!("{quota} {}", SLICE.as_micros());
                write(&self.cpu.join("cpu.max"), &of_slice)?;
            }
        }
        write(&processes(&self.cpu), &process)
    }

    /// Freezes the function. Returns when all its threads stand still.
    ///
    /// # Errors
    /// If they don't within a second, or the groups can't be written.
    pub fn freeze(&self) -> io::Result<()> {
        let (order, state, frozen) = match self.version {
            Version::V1 => (("freezer.state", "FROZEN"), "freezer.state", "FROZEN"),
            Version::V2 => (("cgroup.freeze", "1"), "cgroup.events", "frozen 1"),
        };
        write(&self.freezer.join(order.0), order.1)?;
        let deadline = Instant::now() + PATIENCE;
        while !read(&self.freezer.join(state))?
            .lines()
            .any(|line| line == frozen)
        {
            if Instant::now() > deadline {
                return Err(Error::other("the function does not freeze"));
            }
            thread::sleep(Duration::from_micros(100));
        }
        Ok(())
    }

    /// Lets the function run.
    ///
    /// # Errors
    /// If the groups can't be written.
    pub fn thaw(&self) -> io::Result<()> {
        match self.version {
            Version::V1 => write(&self.freezer.join("freezer.state"), "THAWED"),
            Version::V2 => write(&self.freezer.join("cgroup.freeze"), "0"),
        }
    }

    /// The number of slices so far in which the function had to wait for the next one.
    ///
    /// # Errors
    /// If the kernel does not report it.
    pub fn throttled(&self) -> io::Result<u64> {
        let file = self.cpu.join("cpu.stat");
        let stat = read(&file)?;
        let number = stat
            .lines()
            .find_map(|line| line.strip_prefix("nr_throttled "));
        number
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| named(&file, &Error::other("no nr_throttled")))
    }

    /// Removes the groups. Their processes go on without limits.
    pub fn remove(&self) {
        let _ = self.thaw();
        for group in [&self.cpu, &self.freezer, &self.endpoints] {
            let Some(all) = group.parent() else { continue };
            for process in read(&processes(group)).unwrap_or_default().lines() {
                let _ = write(&processes(all), process);
            }
            let deadline = Instant::now() + PATIENCE;
            // A process that has just ended may still be in the group, which then can't be removed.
            while fs::remove_dir(group).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy)
                && Instant::now() < deadline
            {
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The first of these processors (`0-3,8`), if there are several.
fn first_of_several(processors: &str) -> Option<&str> {
    processors
        .split_once(['-', ','])
        .map(|(first, _others)| first)
}

/// The file with the processes of a group. Writing a process to it moves the process there.
fn processes(group: &Path) -> PathBuf {
    group.join("cgroup.procs")
}

fn read(file: &Path) -> io::Result<String> {
    fs::read_to_string(file).map_err(|error| named(file, &error))
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text).map_err(|error| named(file, &error))
}

fn named(file: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    /// A directory with the files that the kernel has in its root group.
    fn root(test: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = env::temp_dir().join(format!("bench-cgroup-{test}-{}", process::id()));
        let _ = fs::remove_dir_all(&root);
        for (file, text) in files {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }

    fn quota() -> Duration {
        Duration::from_micros(2894)
    }

    #[test]
    fn version_2_is_written_as_the_kernel_reads_it() {
        let root = root(
            "v2",
            &[
                ("cgroup.controllers", "cpuset cpu io memory pids\n"),
                ("cpuset.cpus.effective", "0-3\n"),
                ("bench-function/cgroup.events", "populated 1\nfrozen 1\n"),
                (
                    "bench-function/cpu.stat",
                    "usage_usec 5\nnr_periods 9\nnr_throttled 7\nthrottled_usec 1\n",
                ),
            ],
        );
        let written = |file: &str| fs::read_to_string(root.join(file)).unwrap();

        let groups = Groups::make(&root, "bench").unwrap();
        assert_eq!(written("cgroup.subtree_control"), "+cpu +cpuset");
        assert_eq!(written("bench-endpoints/cpuset.cpus"), "0");
        assert_eq!(written("bench-function/cpu.weight"), "10000");
        let this = process::id().to_string();
        assert_eq!(written("bench-endpoints/cgroup.procs"), this);

        groups.limit(4711, quota()).unwrap();
        assert_eq!(written("bench-function/cpu.max"), "2894 20000");
        assert_eq!(written("bench-function/cgroup.procs"), "4711");

        groups.freeze().unwrap();
        assert_eq!(written("bench-function/cgroup.freeze"), "1");
        groups.thaw().unwrap();
        assert_eq!(written("bench-function/cgroup.freeze"), "0");
        assert_eq!(groups.throttled().unwrap(), 7);

        groups.remove();
        assert_eq!(written("cgroup.procs"), this, "the last one that was moved");
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn version_1_is_written_as_the_kernel_reads_it() {
        let root = root(
            "v1",
            &[
                ("cpuset/cpuset.cpus", "0-1\n"),
                ("cpuset/cpuset.mems", "0\n"),
                ("cpu/bench/cpu.stat", "nr_periods 9\nnr_throttled 7\n"),
                ("freezer/cgroup.procs", ""),
            ],
        );
        let written = |file: &str| fs::read_to_string(root.join(file)).unwrap();

        let groups = Groups::make(&root, "bench").unwrap();
        assert_eq!(written("cpuset/bench/cpuset.cpus"), "0");
        assert_eq!(written("cpuset/bench/cpuset.mems"), "0");
        let this = process::id().to_string();
        assert_eq!(written("cpuset/bench/cgroup.procs"), this);
        assert_eq!(written("cpu/bench/cpu.cfs_period_us"), "20000");
        assert_eq!(written("cpu/bench/cpu.shares"), "262144");

        groups.limit(4711, quota()).unwrap();
        assert_eq!(written("cpu/bench/cpu.cfs_quota_us"), "2894");
        for group in ["cpu/bench", "freezer/bench", "cpuset"] {
            assert_eq!(written(&format!("{group}/cgroup.procs")), "4711");
        }

        groups.freeze().unwrap();
        assert_eq!(written("freezer/bench/freezer.state"), "FROZEN");
        groups.thaw().unwrap();
        assert_eq!(written("freezer/bench/freezer.state"), "THAWED");
        drop(groups);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn no_groups_are_an_error_that_names_the_file() {
        let file = env::temp_dir().join(format!("bench-cgroup-none-{}", process::id()));
        fs::write(&file, "not a directory").unwrap();
        let error = Groups::make(&file, "bench").unwrap_err().to_string();
        assert!(error.contains(&*file.to_string_lossy()), "{error}");
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn the_endpoints_get_a_processor_if_another_one_remains() {
        assert_eq!(first_of_several("0-1"), Some("0"));
        assert_eq!(first_of_several("2,5-7"), Some("2"));
        assert_eq!(first_of_several("10-11"), Some("10"));
        assert_eq!(first_of_several("0"), None);
    }
}
