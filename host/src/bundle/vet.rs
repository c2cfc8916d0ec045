//! Vetting: everything that can be wrong with an artifact, said in words before it runs.
//!
//! The file's place and bytes are looked at in this process. What needs loading — does the dynamic
//! loader take it, do the boundary's types fit, does the manifest tell the truth — happens in a
//! child process, which a hostile or broken artifact may take with it.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use belfry_plugin_api::describe::{API_VERSION, Description};
use belfry_plugin_api::manifest::Manifest;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::elf::{self, ElfError};
use super::load::LoadedPlugin;

/// The hidden first argument that makes one of the programs the vetting child.
pub const CHILD_ARGUMENT: &str = "vet-child";

/// How long the child may take to load an artifact and ask it for its description.
const CHILD_PATIENCE: Duration = Duration::from_secs(20);

/// The largest artifact, in bytes: a release build with all its dependencies has some 10 MB.
const MAX_ARTIFACT_BYTES: u64 = 512 * 1024 * 1024;

/// The bits of a file's mode that let others write to it.
const WORLD_WRITABLE: u32 = 0o002;

/// Why an artifact is refused.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// Not a regular file.
    #[error("it is not a regular file")]
    NotAFile,
    /// Of absurd size.
    #[error("it has {0} bytes; {MAX_ARTIFACT_BYTES} are allowed")]
    TooLarge(u64),
    /// Anybody may change it.
    #[error(
        "it is world-writable (mode {0:03o}), so anybody could put code into the host; chmod o-w it"
    )]
    WorldWritable(u32),
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
    /// Its bytes: exactly those that passed.
    pub bytes: bytes::Bytes,
}

/// What the child says on its standard output.
#[derive(Debug, Serialize, Deserialize)]
enum Verdict {
    Described(Description),
    Refused(String),
}

/// Vets an artifact. Blocks for as long as the child takes.
///
/// # Errors
///
/// The first fault, in words, with what to do about it.
pub fn vet(path: &Path) -> Result<Vetted, Fault> {
    let mut file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Fault::NotAFile);
    }
    if metadata.len() > MAX_ARTIFACT_BYTES {
        return Err(Fault::TooLarge(metadata.len()));
    }
    if metadata.mode() & WORLD_WRITABLE != 0 {
        return Err(Fault::WorldWritable(metadata.mode() & 0o777));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let manifest = elf::inspect(&bytes)?;

    // The child loads a copy, so that what is loaded is what was read, whatever happens to the
    // file meanwhile.
    let mut copy = tempfile::Builder::new()
        .prefix("belfry-vet-")
        .suffix(".so")
        .tempfile()?;
    std::io::Write::write_all(&mut copy, &bytes)?;
    let description = load_in_child(copy.path())?;
    compare(&manifest, &description, &bytes)?;
    let own = Version::parse(API_VERSION).map_err(|error| Fault::Loading(error.to_string()))?;
    if !manifest.api.matches(&own) {
        return Err(Fault::OtherApi {
            wanted: manifest.api.to_string(),
        });
    }
    Ok(Vetted {
        manifest,
        bytes: bytes.into(),
    })
}

fn load_in_child(path: &Path) -> Result<Description, Fault> {
    let mut child = Command::new("/proc/self/exe")
        .arg(CHILD_ARGUMENT)
        .arg(path)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let out = read_in_background(child.stdout.take());
    let err = read_in_background(child.stderr.take());
    let deadline = Instant::now() + CHILD_PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(Fault::Loading(format!(
                "loading it did not end within {} s",
                CHILD_PATIENCE.as_secs()
            )));
        }
        // The child's end is the condition; there is no blocking wait with a deadline.
        std::thread::park_timeout(Duration::from_millis(2));
    };
    let said = out.join().unwrap_or_default();
    let complained = err.join().unwrap_or_default();
    match serde_json::from_slice(&said) {
        Ok(Verdict::Described(description)) => Ok(description),
        Ok(Verdict::Refused(reason)) => Err(Fault::Loading(reason)),
        Err(_) => {
            let complained = String::from_utf8_lossy(&complained);
            let last = complained.lines().rfind(|line| !line.trim().is_empty());
            Err(Fault::Loading(format!(
                "loading it ended the vetting process ({status}){}",
                last.map(|line| format!(": {line}")).unwrap_or_default()
            )))
        }
    }
}

fn read_in_background<R: Read + Send + 'static>(
    source: Option<R>,
) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(source) = source {
            // More than this is no verdict of ours.
            let _ = source.take(1024 * 1024).read_to_end(&mut bytes);
        }
        bytes
    })
}

fn compare(manifest: &Manifest, code: &Description, bytes: &[u8]) -> Result<(), Fault> {
    let lie = |what: &str, said: String, found: String| {
        Err(Fault::Lie(format!(
            "it says {what} {said}, and the code is {found}"
        )))
    };
    if manifest.id.as_str() != code.name {
        return lie("id", manifest.id.to_string(), code.name.clone());
    }
    if manifest.version.to_string() != code.version {
        return lie(
            "version",
            manifest.version.to_string(),
            code.version.clone(),
        );
    }
    if manifest.kinds() != code.kinds {
        let list = |kinds: &[belfry_plugin_api::manifest::ServiceKind]| {
            let names: Vec<_> = kinds.iter().map(ToString::to_string).collect();
            names.join(", ")
        };
        return lie("it provides", list(&manifest.kinds()), list(&code.kinds));
    }
    let api = Version::parse(&code.api_version).map_err(|error| Fault::Lie(error.to_string()))?;
    if !manifest.api.matches(&api) {
        return lie(
            "plugin-api",
            manifest.api.to_string(),
            format!("built with {api}"),
        );
    }
    if elf::manifest_section(bytes)? != code.manifest.as_bytes() {
        return Err(Fault::Lie(
            "the section was changed after the artifact was built".into(),
        ));
    }
    Ok(())
}

/// The child's whole life: loads the artifact and says what it found.
pub fn child(path: PathBuf) -> std::process::ExitCode {
    let verdict = match LoadedPlugin::open(&path).and_then(|plugin| plugin.describe()) {
        Ok(description) => Verdict::Described(description),
        Err(error) => Verdict::Refused(error.to_string()),
    };
    let written = serde_json::to_writer(std::io::stdout().lock(), &verdict);
    std::process::ExitCode::from(u8::from(written.is_err()))
}
