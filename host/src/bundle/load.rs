//! Opening an artifact: the one place where plugin code enters a process.

use std::path::Path;

use abi_stable::library::{LibraryError, lib_header_from_path};
use abi_stable::std_types::RResult;
use belfry_plugin_api::boundary::{HostLinkObject, PluginModuleRef};
use belfry_plugin_api::describe::Description;

/// Why an artifact cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The dynamic loader refuses it.
    #[error("the dynamic loader refuses it: {0}")]
    Open(String),
    /// It exports no root module.
    #[error("it does not export the root module")]
    NoRootModule,
    /// Built with another `abi_stable`.
    #[error("it is built for another ABI: {0}; build it against this host's belfry-plugin-api")]
    OtherAbi(String),
    /// The types at the boundary differ.
    #[error("its types at the plugin boundary are laid out differently: {0}")]
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
        let header = lib_header_from_path(path).map_err(classify)?;
        let module = header.init_root_module().map_err(classify)?;
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

fn classify(error: LibraryError) -> LoadError {
    let first_lines = |text: String| {
        let lines: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .take(6)
            .collect();
        lines.join("; ")
    };
    match error {
        LibraryError::OpenError { err, .. } => LoadError::Open(first_lines(err.to_string())),
        LibraryError::GetSymbolError { .. } => LoadError::NoRootModule,
        LibraryError::AbiInstability(found) => LoadError::Layout(first_lines(found.to_string())),
        LibraryError::InvalidAbiHeader(found) => LoadError::OtherAbi(format!(
            "abi_stable {}.{} and not {}.{}",
            found.abi_major,
            found.abi_minor,
            abi_stable::library::AbiHeader::VALUE.abi_major,
            abi_stable::library::AbiHeader::VALUE.abi_minor,
        )),
        other => LoadError::OtherAbi(first_lines(other.to_string())),
    }
}
