//! Vetting: everything that can be wrong with an artifact, said in words before it runs.
//!
//! The file's place and bytes are looked at in this process. What needs loading — does the dynamic
//! loader take it, do the boundary's types fit, does the manifest tell the truth — happens in a
//! child process, which a hostile or broken artifact may take with it.

mod child;

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use belfry_plugin_api::describe::{API_VERSION, Description};
use belfry_plugin_api::manifest::{Manifest, ServiceKind};
use rustix::fs::OFlags;
use semver::Version;

pub use self::child::child;
use super::elf::{self, ElfError};

/// The hidden first argument that makes one of the programs the vetting child.
pub const CHILD_ARGUMENT: &str = "vet-child";

/// The largest artifact, in bytes: a release build with all its dependencies has some 10 MB.
const MAX_ARTIFACT_BYTES: u64 = 512 * 1024 * 1024;

/// The bits of a file's mode that let others write to it.
const WORLD_WRITABLE: u32 = 0o002;

/// Why an artifact is refused.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// Not a regular file.
    #[error("it is not a regular file; a plugin is a shared object (.so)")]
    NotAFile,
    /// Of absurd size.
    #[error("it has {0} bytes; {MAX_ARTIFACT_BYTES} are allowed")]
    TooLarge(u64),
    /// Anybody may change it.
    #[error(
        "it is world-writable (mode {0:03o}), so anybody could put code into the host; chmod o-w it"
    )]
    WorldWritable(u32),
    /// The file may be good; the host is in trouble.
    #[error("the host can neither vet nor keep it: {0}")]
    Host(#[from] std::io::Error),
    /// Its bytes are wrong.
    #[error(transparent)]
    Bytes(#[from] ElfError),
    /// For another plugin-api.
    #[error(
        "it needs plugin-api {wanted}, and this host has {API_VERSION}; install the matching version"
    )]
    OtherApi {
        /// What it needs.
        wanted: String,
    },
    /// Loading it failed.
    #[error("{0}")]
    Loading(String),
    /// The manifest says something else than the code.
    #[error("its manifest does not tell the truth: {0}; build the plugin anew")]
    Lie(String),
}

/// An artifact that passed.
#[derive(Debug, Clone)]
pub struct Vetted {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The version of plugin-api that it was built with.
    pub built_with: Version,
    /// Its bytes: exactly those that passed.
    pub bytes: bytes::Bytes,
}

/// Vets an artifact. Blocks for as long as the child takes.
///
/// # Errors
///
/// The first fault, in words, with what to do about it.
pub fn vet(path: &Path) -> Result<Vetted, Fault> {
    let bytes = read(path)?;
    let manifest = elf::inspect(&bytes)?;
    let own = Version::parse(API_VERSION).map_err(|error| Fault::Loading(error.to_string()))?;
    // Said before anything is loaded: of what is made for another plugin-api, nothing else that
    // could be said would help.
    if !manifest.api.matches(&own) {
        return Err(Fault::OtherApi {
            wanted: manifest.api.to_string(),
        });
    }
    let description = child::describe(&bytes)?;
    let built_with = compare(&manifest, &description, &bytes)?;
    Ok(Vetted {
        manifest,
        built_with,
        bytes: bytes.into(),
    })
}

/// Reads a file that only those may change who may change the host.
fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    if !std::fs::metadata(path)
        .map_err(Fault::Unreadable)?
        .is_file()
    {
        return Err(Fault::NotAFile);
    }
    // By now it may be another one, and opening a pipe would wait for somebody who writes to it.
    let no_waiting = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_waiting)
        .open(path)
        .map_err(Fault::Unreadable)?;
    let metadata = file.metadata().map_err(Fault::Unreadable)?;
    if !metadata.is_file() {
        return Err(Fault::NotAFile);
    }
    if metadata.mode() & WORLD_WRITABLE != 0 {
        return Err(Fault::WorldWritable(metadata.mode() & 0o777));
    }
    if metadata.len() > MAX_ARTIFACT_BYTES {
        return Err(Fault::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_ARTIFACT_BYTES)
        .read_to_end(&mut bytes)
        .map_err(Fault::Unreadable)?;
    Ok(bytes)
}

/// Compares what the manifest says with what the code says. Returns the version of plugin-api that
/// the code was built with.
fn compare(manifest: &Manifest, code: &Description, bytes: &[u8]) -> Result<Version, Fault> {
    let lie = |said: String, is: String| Err(Fault::Lie(format!("it says {said}, and {is}")));
    if manifest.id.as_str() != code.name {
        return lie(
            format!("id {}", manifest.id),
            format!("the code is {}", code.name),
        );
    }
    if manifest.version.to_string() != code.version {
        return lie(
            format!("version {}", manifest.version),
            format!("the code is version {}", code.version),
        );
    }
    if manifest.kinds() != code.kinds {
        return lie(
            format!("that it provides {}", list(&manifest.kinds())),
            format!("the code provides {}", list(&code.kinds)),
        );
    }
    let api = Version::parse(&code.api_version).map_err(|error| Fault::Lie(error.to_string()))?;
    if !manifest.api.matches(&api) {
        return lie(
            format!("that it runs with plugin-api {}", manifest.api),
            format!("the code is built with {api}"),
        );
    }
    if elf::manifest_section(bytes)? != code.manifest.as_bytes() {
        return Err(Fault::Lie(
            "the section was changed after the artifact was built".into(),
        ));
    }
    Ok(api)
}

fn list(kinds: &[ServiceKind]) -> String {
    let names: Vec<_> = kinds.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        "nothing".into()
    } else {
        names.join(", ")
    }
}
