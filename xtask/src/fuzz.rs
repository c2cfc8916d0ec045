//! `cargo xtask fuzz`: runs the libFuzzer targets of `fuzz/` with the stable compiler.
//!
//! cargo-fuzz asks for a nightly compiler, because of the sanitizers that it turns on. Those watch
//! `unsafe` code, of which there is none of ours behind these targets; the rest of what cargo-fuzz
//! does is a handful of compiler flags.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};

use crate::artifacts::{self, Artifact};
use crate::{paths, process};

/// What `cargo fuzz run --sanitizer none --debug-assertions` passes to the compiler: coverage
/// counters and compared values for libFuzzer to steer by.
const RUSTFLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-sanitizer-coverage-stack-depth \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    --cfg fuzzing";

/// One input that takes longer counts as a hang, in seconds.
const INPUT_TIMEOUT_S: u32 = 10;

/// The longest input, in bytes: more than any limit that a target knows.
const MAX_INPUT_BYTES: u32 = 32 * 1024;

/// One input that needs more counts as a leak, in MiB.
const MEMORY_LIMIT_MIB: u32 = 1024;

/// How much of libFuzzer's output is shown when a target fails.
const SHOWN_LINES: usize = 60;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these targets; all where none is named
    targets: Vec<String>,

    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let targets = build(&arguments.targets)?;
    for target in &targets {
        run_target(target, arguments.seconds)?;
    }
    Ok(())
}

/// Runs every target.
///
/// # Errors
/// A target does not build, or an input makes one crash.
pub(crate) fn all(seconds: u32) -> Result<()> {
    run(&Arguments {
        targets: Vec::new(),
        seconds,
    })
}

fn build(targets: &[String]) -> Result<Vec<Artifact>> {
    let host = host_triple()?;
    // What is fuzzed is what is installed: the same versions of everything.
    fs::copy(paths::at("Cargo.lock"), paths::at("fuzz/Cargo.lock"))?;
    let mut build = process::cargo(&["build", "--release"]);
    build
        .args([
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target-dir",
            "fuzz/target",
        ])
        // Where a target is named, build scripts and macros are built without these flags.
        .args(["--target", &host])
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", RUSTFLAGS);
    for target in targets {
        build.args(["--bin", target]);
    }
    let mut built = artifacts::build(&mut build)?;
    built.retain(|artifact| artifact.package == paths::at("fuzz"));
    built.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(built)
}

fn host_triple() -> Result<String> {
    let said = process::output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

fn run_target(target: &Artifact, seconds: u32) -> Result<()> {
    let name = &target.name;
    let [seeds, corpus, crashes] =
        ["seeds", "corpus", "artifacts"].map(|kind| paths::at("fuzz").join(kind).join(name));
    for folder in [&corpus, &crashes] {
        fs::create_dir_all(folder)?;
    }
    let started = SystemTime::now();
    let mut command = Command::new(&target.file);
    command
        .current_dir(paths::root())
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_TIMEOUT_S}"))
        .arg(format!("-rss_limit_mb={MEMORY_LIMIT_MIB}"))
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        .arg("-print_final_stats=1")
        // New inputs are written to the first folder.
        .args([&corpus, &seeds]);
    println!("$ {}", process::shown(&command));
    // libFuzzer says a line for each input that it keeps: thousands, of use only after a failure.
    let output = command.output().context("cannot start it")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let inputs = statistic(&said, "number_of_executed_units");
        println!("{name}: {inputs} inputs in {seconds} s, no failure");
        return Ok(());
    }
    println!("{}", last_lines(&said, SHOWN_LINES));
    match newest(&crashes, started) {
        Some(input) => bail!(
            "{name} fails with {0}; again with: {1} {0}",
            paths::shown(&input),
            paths::shown(&target.file)
        ),
        None => bail!("{name} ended ({})", output.status),
    }
}

/// A figure of libFuzzer's final statistics.
fn statistic<'a>(said: &'a str, name: &str) -> &'a str {
    said.lines()
        .filter_map(|line| line.strip_prefix("stat::")?.split_once(':'))
        .find_map(|(found, value)| (found == name).then_some(value.trim()))
        .unwrap_or("?")
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The last file that was written to a folder since then.
fn newest(folder: &Path, since: SystemTime) -> Option<PathBuf> {
    let written = |path: &PathBuf| path.metadata().and_then(|about| about.modified()).ok();
    fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| written(path) >= Some(since))
        .max_by_key(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_in_the_statistics() {
        let said = "#2 INITED\nstat::number_of_executed_units: 264855\nstat::peak_rss_mb: 33\n";
        assert_eq!(statistic(said, "number_of_executed_units"), "264855");
        assert_eq!(statistic(said, "new_units_added"), "?");
    }

    #[test]
    fn only_the_end_of_a_long_output_is_shown() {
        assert_eq!(last_lines("a\nb\nc", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
