//! `cargo xtask test`: everything that says whether a change may go in, in one command.

mod secrets;
mod steps;

use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these steps, in their usual order; all where none is named
    #[arg(value_enum)]
    steps: Vec<Step>,

    /// Also check for known vulnerabilities, with the advisory database from the network
    #[arg(long)]
    advisories: bool,

    /// How long each fuzz target runs
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    fuzz_seconds: u32,
}

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Step {
    /// Debian packages that tests need; installed where they are not there and that is allowed
    Packages,
    /// rustfmt
    Format,
    /// Dependencies that nothing uses
    Unused,
    /// Licences, sources and bans of dependencies
    Deny,
    /// Lints
    Clippy,
    /// Programs, plugins and the plugins of tests, laid out for the tests
    Build,
    /// Unit, integration and documentation tests
    Tests,
    /// Documentation, with its links
    Docs,
    /// A short run of the fuzz targets
    Fuzz,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let started = Instant::now();
    for step in chosen(&arguments.steps) {
        let name = step.name();
        println!("==> {name}");
        let begun = Instant::now();
        step.run(arguments)
            .with_context(|| format!("{name} failed"))?;
        println!(
            "<== {name}: passed in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }
    println!("passed in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// The steps that are run, in their order.
fn chosen(named: &[Step]) -> Vec<Step> {
    let is_chosen = |step: &Step| {
        // Tests run what is laid out, which must not be older than they are.
        let is_needed = *step == Step::Build && named.contains(&Step::Tests);
        named.is_empty() || named.contains(step) || is_needed
    };
    Step::value_variants()
        .iter()
        .copied()
        .filter(is_chosen)
        .collect()
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn run(self, arguments: &Arguments) -> Result<()> {
        match self {
            Self::Packages => steps::packages(),
            Self::Format => steps::format(),
            Self::Unused => steps::unused(),
            Self::Deny => steps::deny(arguments.advisories),
            Self::Clippy => steps::clippy(),
            Self::Build => steps::build(),
            Self::Tests => steps::tests(),
            Self::Docs => steps::docs(),
            Self::Fuzz => crate::fuzz::all(arguments.fuzz_seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_run_where_none_is_named() {
        assert_eq!(chosen(&[]), Step::value_variants());
    }

    #[test]
    fn named_steps_keep_their_order_and_tests_bring_the_build_along() {
        let steps = [Step::Docs, Step::Tests, Step::Format];
        let expected = [Step::Format, Step::Build, Step::Tests, Step::Docs];
        assert_eq!(chosen(&steps), expected);
    }
}
