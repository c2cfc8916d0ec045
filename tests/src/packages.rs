//! Programs that tests run and this repository does not build.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where servers are installed; an ordinary user's `PATH` leaves these out.
const SERVER_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A program that a test needs is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{program} is not installed: run `apt-get install {}`", packages.join(" "))]
pub struct Missing {
    /// The program that was looked for.
    pub program: String,
    /// The Debian and Ubuntu packages that bring it.
    pub packages: Vec<String>,
}

/// Finds a program on the `PATH` or where servers are; one named by its full path, there only.
///
/// # Errors
/// Where it is not there, with the packages that bring it.
pub fn require(program: &str, packages: &[&str]) -> Result<PathBuf, Missing> {
    find(program, &env::var_os("PATH").unwrap_or_default()).ok_or_else(|| Missing {
        program: program.to_owned(),
        packages: packages.iter().map(|name| (*name).to_owned()).collect(),
    })
}

fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path)
        .chain(SERVER_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path_and_by_their_full_name() {
        assert_eq!(require("/bin/sh", &[]), Ok(PathBuf::from("/bin/sh")));
        assert!(require("sh", &[]).is_ok());
        assert!(find("sh", OsStr::new("/proc")).is_none());
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_brings_it() {
        let missing = require("no-such-program", &["package-a", "package-b"]).unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("apt-get install package-a package-b"),
            "{missing}"
        );
    }

    #[test]
    fn a_file_that_is_no_program_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tool"), "").unwrap();
        assert_eq!(find("tool", folder.path().as_os_str()), None);
    }
}
