//! `cargo xtask dist`: a build laid out as packages would install it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::artifacts::{self, Artifact};
use crate::{paths, process};

/// The packages whose programs are installed.
const PROGRAM_PACKAGES: [&str; 2] = ["belfry-host", "belfry-sandbox"];

/// The packages that a benchmark needs beside them.
const BENCH_PACKAGES: [&str; 2] = ["belfry-bench", "misbehaving"];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Lay a debug build out in target/dist-debug, as tests use it
    #[arg(long)]
    debug: bool,
}

/// How things are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Release,
    /// A release build with what measures it.
    Bench,
    Debug,
}

impl Profile {
    /// The folder that holds the layout.
    pub(crate) fn folder(self) -> PathBuf {
        paths::at(match self {
            Self::Release => "target/dist",
            Self::Bench => "target/dist-bench",
            Self::Debug => "target/dist-debug",
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let profile = if arguments.debug {
        Profile::Debug
    } else {
        Profile::Release
    };
    lay_out(profile)?;
    println!("laid out in {}", paths::shown(&profile.folder()));
    Ok(())
}

/// Builds programs and plugins and lays them out, the plugins of tests in `fixtures/`. Returns all
/// that was built.
///
/// # Errors
/// The build fails, lacks a plugin, or a file cannot be copied.
pub(crate) fn lay_out(profile: Profile) -> Result<Vec<Artifact>> {
    let plugins = plugin_ids()?;
    let mut build = process::cargo(&["build", "--locked"]);
    match profile {
        Profile::Release | Profile::Bench => {
            build.arg("--release");
            let plugins = plugins.iter().map(String::as_str);
            let measures = (profile == Profile::Bench).then_some(BENCH_PACKAGES);
            let measures = measures.into_iter().flatten();
            for package in PROGRAM_PACKAGES.into_iter().chain(plugins).chain(measures) {
                build.args(["-p", package]);
            }
        }
        // Everything at once: another selection of packages means other features of their
        // dependencies, and so another build of most.
        Profile::Debug => {
            build.args(["--workspace", "--exclude", "xtask"]);
        }
    }
    let built = artifacts::build(&mut build)?;
    let folder = profile.folder();
    for artifact in &built {
        if let Some(place) = place(artifact, paths::root()) {
            replace(&artifact.file, &folder.join(place))?;
        }
    }
    let plugins_folder = folder.join("plugins");
    keep_only(&plugins_folder, &plugins)?;
    for id in &plugins {
        if !plugins_folder.join(format!("{id}.so")).exists() {
            bail!(
                "plugins/{id} built no shared object: its Cargo.toml needs crate-type = [\"cdylib\"]"
            );
        }
    }
    copy_folder(&paths::at("config"), &folder.join("config"))?;
    Ok(built)
}

/// The plugins: one folder each, named like the plugin and its package.
fn plugin_ids() -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(paths::at("plugins"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            ids.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    ids.sort();
    Ok(ids)
}

/// Where an artifact goes in the layout; `None` for what is not installed.
fn place(artifact: &Artifact, root: &Path) -> Option<PathBuf> {
    let package = artifact.package.strip_prefix(root).ok()?;
    if artifact.is_library {
        // Cargo writes names of libraries with underscores; ids have none.
        let id = artifact.name.replace('_', "-");
        let folder = if package.starts_with("plugins") {
            "plugins"
        } else {
            "fixtures"
        };
        return Some(Path::new(folder).join(format!("{id}.so")));
    }
    let is_installed = package == Path::new("host") || package == Path::new("tests/sandbox");
    is_installed.then(|| Path::new("bin").join(&artifact.name))
}

/// Copies a file to its place in one step: what runs, or is mapped, keeps the old one.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().unwrap_or(Path::new("."));
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let draft = to.with_file_name(format!(".{name}.new"));
    fs::create_dir_all(parent)
        .and_then(|()| fs::copy(from, &draft))
        .and_then(|_| fs::rename(&draft, to))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Removes the plugins that are built no more.
fn keep_only(folder: &Path, ids: &[String]) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let id = path.file_stem().unwrap_or_default().to_string_lossy();
        if !ids.iter().any(|known| *known == id) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(name: &str, is_library: bool, package: &str) -> Option<PathBuf> {
        let artifact = Artifact {
            name: name.to_owned(),
            is_library,
            package: Path::new("/w").join(package),
            file: PathBuf::new(),
        };
        place(&artifact, Path::new("/w"))
    }

    #[test]
    fn a_plugin_has_the_name_of_its_package() {
        let place = placed("mobile_push", true, "plugins/mobile-push");
        assert_eq!(place, Some("plugins/mobile-push.so".into()));
    }

    #[test]
    fn plugins_of_tests_lie_apart() {
        let place = placed("push_hello", true, "plugin-api/examples/hello");
        assert_eq!(place, Some("fixtures/push-hello.so".into()));
    }

    #[test]
    fn programs_of_the_host_and_the_sandbox_are_installed_and_no_others() {
        assert_eq!(placed("belfryd", false, "host"), Some("bin/belfryd".into()));
        let sandbox = placed("belfry-sandbox", false, "tests/sandbox");
        assert_eq!(sandbox, Some("bin/belfry-sandbox".into()));
        assert_eq!(placed("belfry-demo", false, "tests/demo"), None);
    }
}
