//! The measured binaries: builds the bare functions, and copies all binaries to one place.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Error;

/// A build of the bare functions.
#[derive(Debug, Clone, Copy)]
struct Build {
    /// Cargo's features, and the name of the directory.
    features: &'static str,
    profile: &'static str,
    /// `AWS_LC_SYS_NO_JITTER_ENTROPY`.
    no_jitter_entropy: &'static str,
}

/// With the functions' remedies.
const REMEDIES: Build = Build {
    features: "remedies",
    profile: "release",
    no_jitter_entropy: "1",
};

/// With the SDK's default features and Cargo's release profile.
const AS_IT_COMES: Build = Build {
    features: "sdk-defaults",
    profile: "as-it-comes",
    no_jitter_entropy: "0",
};

/// The binaries of a checkout.
#[derive(Debug, Clone, Copy)]
pub struct Binaries<'a> {
    root: &'a Path,
}

impl<'a> Binaries<'a> {
    /// The binaries of the checkout at `root`.
    pub fn of(root: &'a Path) -> Self {
        Self { root }
    }

    /// The directory of the benchmark's own files.
    pub fn directory(self) -> PathBuf {
        self.root.join("target/bench")
    }

    /// Builds the bare functions with the remedies, and if `as_it_comes` also with the SDK as it comes.
    /// They are built for the glibc that `cargo lambda build` targets by default.
    ///
    /// # Errors
    /// If `cargo lambda build` fails.
    pub fn build_bare(self, as_it_comes: bool) -> Result<(), Error> {
        self.build(REMEDIES)?;
        if as_it_comes {
            self.build(AS_IT_COMES)?;
        }
        Ok(())
    }

    fn build(self, build: Build) -> Result<(), Error> {
        let status = Command::new("cargo")
            .args(["lambda", "build", "--locked", "--profile", build.profile])
            .args(["--features", build.features, "--manifest-path"])
            .arg(self.root.join("tests/bench/bare/Cargo.toml"))
            .arg("--lambda-dir")
            .arg(self.directory().join(build.features))
            .env("CARGO_TARGET_DIR", self.directory().join("cargo"))
            .env("AWS_LC_SYS_NO_JITTER_ENTROPY", build.no_jitter_entropy)
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err("cargo lambda build of the bare functions fails".into())
        }
    }

    /// A copy of a function's release binary, if it has been built.
    ///
    /// # Errors
    /// If it can't be copied.
    pub fn function(self, name: &str) -> Result<Option<PathBuf>, Error> {
        let binary = bootstrap(&self.root.join("target/lambda"), name);
        if binary.exists() {
            self.copy(&binary, name).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A copy of the bare function of this name with the remedies.
    ///
    /// # Errors
    /// If it has not been built.
    pub fn bare(self, name: &str) -> Result<PathBuf, Error> {
        self.copy_bare(REMEDIES, name)
    }

    /// A copy of the bare function of this name with the SDK as it comes.
    ///
    /// # Errors
    /// If it has not been built.
    pub fn bare_as_it_comes(self, name: &str) -> Result<PathBuf, Error> {
        self.copy_bare(AS_IT_COMES, name)
    }

    fn copy_bare(self, build: Build, name: &str) -> Result<PathBuf, Error> {
        let binary = bootstrap(&self.directory().join(build.features), name);
        self.copy(&binary, &format!("{}-{name}", build.features))
    }

    /// Copies a binary. How a file was written decides how it lies in the page cache, which changes a
    /// start by up to 5 %: so all measured binaries are written by this process.
    fn copy(self, binary: &Path, name: &str) -> Result<PathBuf, Error> {
        let directory = self.directory().join("copies");
        fs::create_dir_all(&directory)?;
        let copy = directory.join(name);
        let bytes = fs::read(binary).map_err(|error| format!("{}: {error}", binary.display()))?;
        fs::write(&copy, bytes)?;
        fs::set_permissions(&copy, fs::metadata(binary)?.permissions())?;
        Ok(copy)
    }
}

fn bootstrap(lambda: &Path, name: &str) -> PathBuf {
    lambda.join(name).join("bootstrap")
}

#[cfg(test)]
mod tests {
    /// The release profile in a manifest, section by section, without comments. Nothing hashes in the bare
    /// functions.
    fn release_profile(manifest: &str) -> Vec<Vec<&str>> {
        let mut sections: Vec<Vec<&str>> = Vec::new();
        for line in manifest.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.starts_with('[') {
                sections.push(Vec::new());
            }
            if let (Some(section), false) = (sections.last_mut(), line.is_empty()) {
                section.push(line);
            }
        }
        sections.retain(|section| {
            section[0].starts_with("[profile.release") && !section[0].ends_with(".argon2]")
        });
        sections.sort();
        sections
    }

    #[test]
    fn the_bare_functions_have_the_functions_release_profile() {
        let bare = release_profile(include_str!("../bare/Cargo.toml"));
        assert_eq!(bare.len(), 5);
        assert_eq!(bare, release_profile(include_str!("../../../Cargo.toml")));
    }
}
