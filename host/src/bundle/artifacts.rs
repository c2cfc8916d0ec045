//! The host's own copies of artifacts.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use belfry_plugin_api::manifest::PluginId;
use sha2::{Digest, Sha256};

use super::vet::{self, Fault, Vetted};

/// How long an artifact is kept that no plugin runs.
const UNCLAIMED_FOR: Duration = Duration::from_secs(600);

/// The name of an artifact's bytes: their SHA-256, in hexadecimal digits.
pub type ArtifactHash = String;

/// The folder `STATE/artifacts`.
///
/// Only bytes that passed vetting get in, and only from here is anything loaded: the folder that
/// a package manager writes to may change under a running process at any time.
#[derive(Debug, Clone)]
pub struct Artifacts {
    folder: PathBuf,
}

/// An artifact that passed vetting and lies in the host's own folder.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Of its bytes.
    pub hash: ArtifactHash,
    /// Where it lies.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: std::sync::Arc<belfry_plugin_api::manifest::Manifest>,
    /// The version of plugin-api that it was built with.
    pub built_with: semver::Version,
}

impl Artifacts {
    /// Opens the folder, and removes what an earlier run of the host left for its generations.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read.
    pub fn open(state: &Path) -> std::io::Result<Self> {
        let folder = state.join("artifacts");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension != "so") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { folder })
    }

    /// Vets a file and keeps its bytes. Blocks while the vetting child runs.
    ///
    /// # Errors
    ///
    /// The first fault of the file.
    pub fn admit(&self, file: &Path) -> Result<Artifact, Fault> {
        let Vetted {
            manifest,
            built_with,
            bytes,
        } = vet::vet(file)?;
        let digest = Sha256::digest(&bytes);
        let hash: ArtifactHash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.folder.join(format!("{hash}.so"));
        if !path.exists() {
            write(&path, &bytes)?;
        }
        Ok(Artifact {
            hash,
            path,
            manifest: manifest.into(),
            built_with,
        })
    }

    /// A copy under a name that was never loaded: the dynamic loader would give back the code that
    /// it knows for a file that it has seen.
    ///
    /// # Errors
    ///
    /// The copy cannot be written.
    pub fn fresh_copy(
        &self,
        artifact: &Artifact,
        id: &PluginId,
        generation: u64,
    ) -> std::io::Result<PathBuf> {
        let name = format!("{id}.{generation}.{}.generation", std::process::id());
        let path = self.folder.join(name);
        write(&path, &fs::read(&artifact.path)?)?;
        Ok(path)
    }

    /// Removes all artifacts but those named, and those that were admitted a moment ago: somebody
    /// is about to install them.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or a file in it not removed.
    pub fn keep_only(&self, hashes: &[ArtifactHash]) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            let is_artifact = path.extension().is_some_and(|extension| extension == "so");
            let is_kept = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|stem| hashes.iter().any(|hash| hash == stem));
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if is_artifact && !is_kept && age > UNCLAIMED_FOR {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Writes a file that is there whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)
}
