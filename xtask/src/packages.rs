//! Debian and Ubuntu packages that tests and the demo need.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process;

/// What is needed, and the package that brings it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// A program on the `PATH`, or a file.
    program: &'static str,
    package: &'static str,
}

/// The mail server.
pub(crate) const DOVECOT: [Need; 3] = [
    Need {
        program: "dovecot",
        package: "dovecot-core",
    },
    Need {
        program: "/usr/lib/dovecot/imap",
        package: "dovecot-imapd",
    },
    Need {
        program: "/usr/lib/dovecot/lmtp",
        package: "dovecot-lmtpd",
    },
];

/// SQLite and cryptography are compiled from C, libFuzzer from C++.
pub(crate) const COMPILERS: [Need; 2] = [
    Need {
        program: "cc",
        package: "gcc",
    },
    Need {
        program: "c++",
        package: "g++",
    },
];

/// Where servers are installed; an ordinary user's `PATH` leaves these out.
const SERVER_FOLDERS: [&str; 2] = ["/usr/local/sbin", "/usr/sbin"];

/// Installs the packages that are its arguments. A mail server must come only as files: nothing is
/// started while it is installed (Debian Policy, section 9.3.3: `policy-rc.d`) nor at the next
/// boot. Signals wait until it is done, for half an installation is the machine's, not ours.
const INSTALL: &str = r#"
set -eu
trap '' INT TERM HUP
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get install --quiet --yes --no-install-recommends \
        -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=120 "$@"
}
install "$@" || { apt-get update --quiet; install "$@"; }
for package in "$@"; do
    if [ "$package" = dovecot-core ] && command -v systemctl > /dev/null; then
        systemctl disable --now dovecot.service dovecot.socket 2> /dev/null || true
    fi
done
"#;

/// The packages that are not there.
pub(crate) fn missing(needs: &[Need]) -> Vec<&'static str> {
    needs
        .iter()
        .filter(|need| !is_there(need.program))
        .map(|need| need.package)
        .collect()
}

/// Installs what is not there.
///
/// # Errors
/// Only root may install, this is no Debian or Ubuntu, or the installation fails; says what to type
/// instead.
pub(crate) fn install(needs: &[Need]) -> Result<()> {
    let packages = missing(needs);
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !is_there("apt-get") {
        bail!("not installed: {list} (names of Debian packages)");
    }
    if !is_root()? {
        bail!("not installed; run: sudo apt-get install --no-install-recommends {list}");
    }
    println!("installing {list}");
    let status = Command::new("sh")
        .args(["-c", INSTALL, "sh"])
        .args(&packages)
        .stdin(Stdio::null())
        .status()
        .context("cannot start sh")?;
    let missing = missing(needs);
    if !status.success() || !missing.is_empty() {
        bail!("apt-get did not install {} ({status})", packages.join(" "));
    }
    Ok(())
}

fn is_root() -> Result<bool> {
    Ok(process::output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SERVER_FOLDERS.map(PathBuf::from))
        // Joining a full path yields that path.
        .any(|folder| Path::is_file(&folder.join(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_missing() {
        let shell = Need {
            program: "sh",
            package: "dash",
        };
        let file = Need {
            program: "/bin/sh",
            package: "dash",
        };
        let nothing = Need {
            program: "/usr/lib/no-such-server/imap",
            package: "no-such-package",
        };
        assert_eq!(missing(&[shell, file, nothing]), ["no-such-package"]);
    }
}
