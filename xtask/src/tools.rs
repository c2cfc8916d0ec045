//! Tools that come from crates.io: used where they are installed, otherwise installed for this
//! checkout alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{paths, process};

/// A cargo subcommand, in the version that its settings here are written for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    package: &'static str,
    version: &'static str,
}

/// Finds dependencies that nothing uses.
pub(crate) const MACHETE: Tool = Tool {
    package: "cargo-machete",
    version: "0.9.2",
};

/// Checks licences, sources, and what is banned.
pub(crate) const DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
};

impl Tool {
    /// A command that starts the tool, which is installed first where it is not there.
    ///
    /// # Errors
    /// It cannot be installed.
    pub(crate) fn command(self) -> Result<Command> {
        let own = paths::at("target/tools");
        let installed = own.join("bin").join(self.package);
        let program = [PathBuf::from(self.package), installed.clone()]
            .into_iter()
            .find(|program| self.is(program));
        if program.is_none() {
            let mut install = process::cargo(&["install", "--locked", self.package]);
            // A debug build takes half the time to build and is fast enough here.
            install.args(["--version", self.version, "--debug", "--root"]);
            process::run(install.arg(own))?;
        }
        let mut command = Command::new(program.unwrap_or(installed));
        command.current_dir(paths::root());
        Ok(command)
    }

    fn is(self, program: &Path) -> bool {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| {
            let said = String::from_utf8_lossy(&output.stdout);
            said.split_whitespace().any(|word| word == self.version)
        })
    }
}
