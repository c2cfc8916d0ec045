//! What cargo builds, and where it says that it put it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::process;

/// A program or a shared object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// The target's name in its `Cargo.toml`.
    pub(crate) name: String,
    /// Whether it is a shared object, so a plugin.
    pub(crate) is_library: bool,
    /// The folder of its `Cargo.toml`.
    pub(crate) package: PathBuf,
    /// The built file.
    pub(crate) file: PathBuf,
}

/// A line of cargo's JSON (The Cargo Book, "External tools"), as far as it matters here.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    CompilerArtifact {
        manifest_path: PathBuf,
        target: Target,
        filenames: Vec<PathBuf>,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Runs a `cargo build`, with its progress shown, and returns what it built or found built.
///
/// # Errors
/// The build fails, or cargo says something else than it documents.
pub(crate) fn build(command: &mut Command) -> Result<Vec<Artifact>> {
    println!("$ {}", process::shown(command));
    let mut child = command
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let mut artifacts = Vec::new();
    let stdout = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(stdout).lines() {
        artifacts.extend(artifact(&line?)?);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed ({status})", process::shown(command));
    }
    Ok(artifacts)
}

fn artifact(line: &str) -> Result<Option<Artifact>> {
    let line = serde_json::from_str(line).with_context(|| format!("cargo said {line:?}"))?;
    let Line::CompilerArtifact {
        manifest_path,
        target,
        filenames,
        executable,
    } = line
    else {
        return Ok(None);
    };
    let is_library = target.kind.iter().any(|kind| kind == "cdylib");
    let is_shared = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "so");
    let file = match (is_library, executable) {
        (true, _) => filenames.into_iter().find(is_shared),
        (false, executable) => executable,
    };
    let package = manifest_path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(file.map(|file| Artifact {
        name: target.name,
        is_library,
        package,
        file,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_told_from_a_program_and_from_a_library() {
        let said = |kind: &str, files: &str, executable: &str| {
            artifact(&format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/plugins/a-b/Cargo.toml",
                "target":{{"name":"a_b","kind":[{kind}]}},
                "filenames":[{files}],"executable":{executable}}}"#
            ))
            .unwrap()
        };
        let plugin = said(
            r#""cdylib","rlib""#,
            r#""/t/liba_b.rlib","/t/liba_b.so""#,
            "null",
        );
        assert_eq!(
            plugin.map(|plugin| (plugin.is_library, plugin.file, plugin.package)),
            Some((true, "/t/liba_b.so".into(), "/w/plugins/a-b".into()))
        );
        let program = said(r#""bin""#, r#""/t/a_b""#, r#""/t/a_b""#);
        assert_eq!(
            program.map(|program| (program.is_library, program.file)),
            Some((false, "/t/a_b".into()))
        );
        assert_eq!(said(r#""lib""#, r#""/t/liba_b.rlib""#, "null"), None);
    }

    #[test]
    fn other_lines_are_passed_over_and_what_is_no_json_is_not() {
        assert_eq!(
            artifact(r#"{"reason":"build-finished","success":true}"#).unwrap(),
            None
        );
        assert!(artifact("warning: unused").is_err());
    }
}
