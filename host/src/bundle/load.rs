//! Opening an artifact: the one place where plugin code enters a process.

mod differences;

use std::path::Path;

use abi_stable::library::{AbiHeader, LibraryError, lib_header_from_path};
use abi_stable::std_types::RResult;
use belfry_plugin_api::boundary::{HostLinkObject, PluginModuleRef};
use belfry_plugin_api::describe::Description;

/// Why an artifact cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The dynamic loader refuses it.
    #[error(
        "the dynamic loader refuses it: {0}; install what it needs, or build it for this system"
    )]
    Open(String),
    /// It exports no root module.
    #[error("it does not export the root module")]
    NoRootModule,
    /// What it exports as root module is something else.
    #[error("what it exports as root module is none; export the plugin with export_plugin!")]
    Foreign,
    /// Built with another `abi_stable`, or for another boundary.
    #[error("it is built for another ABI: {0}; build it against this host's belfry-plugin-api")]
    OtherAbi(String),
    /// Its root module is not made.
    #[error("its root module cannot be made: {0}; it is broken")]
    Broken(String),
    /// The types at the boundary differ.
    #[error(
        "its types at the plugin boundary are laid out differently ({0}); build it against this host's belfry-plugin-api"
    )]
    Layout(String),
    /// The code says nothing readable of itself.
    #[error("its description of itself cannot be read: {0}")]
    Description(#[from] serde_json::Error),
}

/// An artifact that is mapped into this process, for as long as the process lives.
pub struct LoadedPlugin {
    module: PluginModuleRef,
}

impl LoadedPlugin {
    /// Maps an artifact and checks the layout of the boundary's types. It is never unmapped.
    ///
    /// # Errors
    ///
    /// Says why it does not fit this host.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let header = lib_header_from_path(path).map_err(|error| classify(path, error))?;
        let module = header
            .init_root_module()
            .map_err(|error| classify(path, error))?;
        Ok(Self { module })
    }

    /// What the code says of itself.
    ///
    /// # Errors
    ///
    /// It is not readable.
    pub fn describe(&self) -> Result<Description, LoadError> {
        Ok(serde_json::from_str(&(self.module.describe())())?)
    }

    /// Runs the plugin on the calling thread until the host says stop or goes.
    ///
    /// # Errors
    ///
    /// A sentence for the operator.
    pub fn run(&self, link: HostLinkObject) -> Result<(), String> {
        match (self.module.run())(link) {
            RResult::ROk(()) => Ok(()),
            RResult::RErr(reason) => Err(reason.into()),
        }
    }
}

fn classify(path: &Path, error: LibraryError) -> LoadError {
    match error {
        LibraryError::OpenError { err, .. } => {
            // The loader says the name that it was given, which is not the operator's.
            let name = path.display().to_string();
            let said = err.to_string().replace(&format!("{name}: "), "");
            LoadError::Open(first_lines(&said.replace(&name, "it")))
        }
        LibraryError::GetSymbolError { .. } => LoadError::NoRootModule,
        LibraryError::AbiInstability(found) => {
            let report = found.to_string();
            let named = differences::differences(&report);
            LoadError::Layout(named.unwrap_or_else(|| first_lines(&report)))
        }
        LibraryError::InvalidAbiHeader(found) => {
            let own = AbiHeader::VALUE;
            if found.magic_string != own.magic_string {
                return LoadError::Foreign;
            }
            LoadError::OtherAbi(format!(
                "it has abi_stable {}.{}, and this host {}.{}",
                found.abi_major, found.abi_minor, own.abi_major, own.abi_minor,
            ))
        }
        LibraryError::IncompatibleVersionNumber {
            expected_version,
            actual_version,
            ..
        } => LoadError::OtherAbi(format!(
            "its plugin boundary has version {actual_version}, and this host's {expected_version}"
        )),
        LibraryError::RootModule { err, .. } => LoadError::Broken(first_lines(&err.to_string())),
        other => LoadError::OtherAbi(first_lines(&other.to_string())),
    }
}

/// Enough for an operator, in one line.
fn first_lines(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(6).collect::<Vec<_>>().join("; ")
}
