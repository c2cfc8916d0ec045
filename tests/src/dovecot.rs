//! A Dovecot of a test's own: real, private, on free ports, gone when the test ends.

mod config;
mod master;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use self::config::Ports;
use self::master::Master;
use crate::packages;

/// The Debian and Ubuntu packages of the programs that are run.
pub const PACKAGES: [&str; 3] = ["dovecot-core", "dovecot-imapd", "dovecot-lmtpd"];

/// How long Dovecot may take to greet on all its ports.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// How often it is asked meanwhile.
const START_POLL: Duration = Duration::from_millis(5);

/// How often other ports are tried when somebody was faster to take those that were free.
const START_ATTEMPTS: usize = 5;

/// Which Dovecot a test wants.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    users: Vec<(String, String)>,
    masters: Vec<(String, String)>,
    drivers: Vec<String>,
    user_from_metadata: bool,
    no_imap_metadata: bool,
    certificate: Option<(PathBuf, PathBuf)>,
    extra: String,
}

impl Builder {
    /// Adds users, each a mail login and a password.
    #[must_use]
    pub fn users<N, P>(mut self, users: impl IntoIterator<Item = (N, P)>) -> Self
    where
        N: Into<String>,
        P: Into<String>,
    {
        let pair = |(name, password): (N, P)| (name.into(), password.into());
        self.users.extend(users.into_iter().map(pair));
        self
    }

    /// Adds a master user, who may act as any user.
    #[must_use]
    pub fn master_user(mut self, name: &str, password: &str) -> Self {
        self.masters.push((name.to_owned(), password.to_owned()));
        self
    }

    /// Where new mail is reported: `http://LOGIN:PASSWORD@127.0.0.1:PORT/PATH`. Replaces all that
    /// was said before.
    #[must_use]
    pub fn driver_url(mut self, url: &str) -> Self {
        self.drivers = vec![url.to_owned()];
        self
    }

    /// Where new mail is reported as well, by a driver of its own.
    #[must_use]
    pub fn second_driver(mut self, url: &str) -> Self {
        self.drivers.push(url.to_owned());
        self
    }

    /// Whether drivers report the user that SETMETADATA stored instead of the mail login.
    #[must_use]
    pub fn user_from_metadata(mut self, yes: bool) -> Self {
        self.user_from_metadata = yes;
        self
    }

    /// Whether METADATA is offered. It is unless this says no.
    #[must_use]
    pub fn imap_metadata(mut self, yes: bool) -> Self {
        self.no_imap_metadata = !yes;
        self
    }

    /// Also offers IMAP over TLS, and STARTTLS, with this certificate and key (PEM files).
    #[must_use]
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.certificate = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Adds lines to the configuration, after all others.
    #[must_use]
    pub fn extra(mut self, lines: &str) -> Self {
        self.extra.push_str(lines);
        self.extra.push('\n');
        self
    }

    /// Starts it and waits until it greets on all its ports.
    ///
    /// # Errors
    /// Where Dovecot is not installed, cannot be started, or says that something is wrong.
    pub async fn start(self) -> anyhow::Result<Dovecot> {
        let program = program()?;
        // Socket paths end at 107 bytes, so the folder is not wherever TMPDIR says.
        let folder = tempfile::Builder::new()
            .prefix("belfry-dovecot-")
            .tempdir_in("/tmp")
            .context("cannot make a folder for Dovecot")?;
        let mut dovecot = Dovecot {
            program,
            folder,
            wanted: self,
            ports: Ports::default(),
            master: None,
        };
        dovecot.run_on_free_ports().await?;
        Ok(dovecot)
    }
}

/// A running Dovecot. Dropping it stops it and removes its folder, mail and all.
pub struct Dovecot {
    program: PathBuf,
    // Before the folder: what still runs must not lose it first.
    master: Option<Master>,
    folder: TempDir,
    wanted: Builder,
    ports: Ports,
}

impl Dovecot {
    /// Whether it can be started here: its programs are installed.
    pub fn is_installed() -> bool {
        program().is_ok()
    }

    /// A Dovecot without users and drivers, to add to.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where IMAP is spoken without protection, or with STARTTLS.
    pub fn imap_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.imap).into()
    }

    /// The same as a URL, `imap://127.0.0.1:PORT`.
    pub fn imap_url(&self) -> String {
        format!("imap://{}", self.imap_address())
    }

    /// Where IMAP is spoken over TLS, `imaps://127.0.0.1:PORT`. Nothing listens there without
    /// [`Builder::tls`].
    pub fn imaps_url(&self) -> String {
        format!("imaps://127.0.0.1:{}", self.ports.imaps)
    }

    /// Where mail is delivered by LMTP.
    pub fn lmtp_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.lmtp).into()
    }

    /// The folder that holds all that it has: configuration, log, mail.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All that it logged since it was first started.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn log(&self) -> io::Result<String> {
        let bytes = std::fs::read(config::log_file(self.folder.path()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Fails the test where the log holds an error.
    ///
    /// # Panics
    /// With the lines, or where the log cannot be read.
    pub fn assert_no_errors(&self) {
        self.assert_no_errors_but(&[]);
    }

    /// Fails the test where the log holds an error other than those that the test provoked, which
    /// are told by what their lines hold.
    ///
    /// # Panics
    /// With the lines, or where the log cannot be read.
    pub fn assert_no_errors_but(&self, provoked: &[&str]) {
        let log = self.log();
        let log = log.as_deref().unwrap_or("Error: the log cannot be read");
        let errors: Vec<_> = errors(log)
            .filter(|line| !provoked.iter().any(|part| line.contains(part)))
            .collect();
        assert!(
            errors.is_empty(),
            "Dovecot logged errors:\n{}",
            errors.join("\n")
        );
    }

    /// Stops it and starts it again on the same ports, with the mail that it has.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.stop().await;
        self.run().await
    }

    /// Restarts it with other wishes; users and drivers that are there already stay.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn reconfigure(
        &mut self,
        change: impl FnOnce(Builder) -> Builder,
    ) -> anyhow::Result<()> {
        self.stop().await;
        self.wanted = change(std::mem::take(&mut self.wanted));
        self.run().await
    }

    /// Stops it; it can be started again.
    pub async fn stop(&mut self) {
        if let Some(master) = self.master.take() {
            // Waiting blocks, for about as long as an IMAP client is given to leave.
            let _ = tokio::task::spawn_blocking(move || drop(master)).await;
        }
    }

    async fn run_on_free_ports(&mut self) -> anyhow::Result<()> {
        for _ in 1..START_ATTEMPTS {
            self.ports = free_ports()?;
            match self.run().await {
                Err(error) if self.log()?.contains("Address already in use") => {
                    tracing::debug!(%error, "other ports are tried for Dovecot");
                    std::fs::remove_file(config::log_file(self.folder.path()))?;
                }
                result => return result,
            }
        }
        self.ports = free_ports()?;
        self.run().await
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let file = config::write(self.folder.path(), &self.wanted, self.ports)
            .context("cannot write Dovecot's configuration")?;
        let output = config::output_file(self.folder.path());
        let mut master = Master::start(&self.program, &file, &output)?;
        let deadline = Instant::now() + START_DEADLINE;
        let mut ports = vec![self.ports.imap, self.ports.lmtp];
        while let Some(port) = ports.last() {
            if let Some(status) = master.exit_status() {
                let output = std::fs::read_to_string(output).unwrap_or_default();
                let log = self.log().unwrap_or_default();
                bail!("Dovecot ended at once ({status}):\n{output}{log}");
            }
            if greets(*port, self.folder.path()).await {
                ports.pop();
            } else if Instant::now() > deadline {
                let log = self.log().unwrap_or_default();
                bail!("Dovecot does not greet on port {port} after {START_DEADLINE:?}\n{log}");
            } else {
                tokio::time::sleep(START_POLL).await;
            }
        }
        self.master = Some(master);
        Ok(())
    }
}

/// The program, where all that it needs is installed.
fn program() -> Result<PathBuf, packages::Missing> {
    for part in ["/usr/lib/dovecot/imap", "/usr/lib/dovecot/lmtp"] {
        packages::require(part, &PACKAGES)?;
    }
    packages::require("dovecot", &PACKAGES)
}

/// Whether our Dovecot, told by its folder, greets on a port.
async fn greets(port: u16, folder: &Path) -> bool {
    let greeting = async {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await?;
        io::Result::Ok(line)
    };
    let greeting = tokio::time::timeout(Duration::from_secs(1), greeting).await;
    matches!(greeting, Ok(Ok(line)) if line.contains(&config::greeting(folder)))
}

/// Ports that nobody listens on. Somebody may before we do.
fn free_ports() -> io::Result<Ports> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // All at once, so that they differ.
    let (imap, imaps, lmtp) = (free()?, free()?, free()?);
    let port = |listener: TcpListener| Ok::<_, io::Error>(listener.local_addr()?.port());
    Ok(Ports {
        imap: port(imap)?,
        imaps: port(imaps)?,
        lmtp: port(lmtp)?,
    })
}

/// The lines of a log that say that something is wrong.
fn errors(log: &str) -> impl Iterator<Item = &str> {
    const BAD: [&str; 3] = ["Error: ", "Fatal: ", "Panic: "];
    log.lines()
        .filter(|line| BAD.iter().any(|level| line.contains(level)))
}

#[cfg(test)]
mod tests {
    use super::errors;

    #[test]
    fn errors_are_told_from_the_rest_of_the_log() {
        let log = "Nov 24 06:13:00 master: Info: starting up\n\
                   Nov 24 06:13:01 lmtp(u): Error: push failed\n\
                   Nov 24 06:13:02 imap: Warning: slow\n\
                   Nov 24 06:13:03 master: Fatal: no port\n";
        assert_eq!(errors(log).count(), 2);
    }
}
