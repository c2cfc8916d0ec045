//! A host and the programs that speak to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A password that must be seen nowhere.
pub(crate) const SECRET: &str = "swordfish-7";

/// Waits until a condition gives something.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A running host without plugins. It is killed when it is dropped.
pub(crate) struct Host {
    pub(crate) folder: TempDir,
    pub(crate) child: Child,
}

impl Host {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config", "plugins"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let properties = format!("com.openexchange.mail.masterPassword = {SECRET}\n");
        fs::write(folder.path().join("config/mail.properties"), properties).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_belfryd"))
            .arg("--config")
            .arg(folder.path().join("config"))
            .arg("--plugins")
            .arg(folder.path().join("plugins"))
            .arg("--state")
            .arg(folder.path().join("state"))
            .args(["--set", "belfry.http.public.listen=127.0.0.1:0"])
            .args(["--set", "belfry.http.internal.listen=127.0.0.1:0"])
            .env_remove("BELFRY_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut host = Self { folder, child };
        let endpoints = host.folder.path().join("state/endpoints.json");
        until("the host to be ready", || {
            assert!(host.child.try_wait().unwrap().is_none(), "{}", host.log());
            endpoints.exists().then_some(())
        });
        host
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("state/admin.sock")
    }

    pub(crate) fn ctl(&self, arguments: &[&str]) -> Said {
        ctl(&self.socket(), arguments)
    }

    /// The answer of a listing, for programs.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let said = self.ctl(&[arguments, &["--json"]].concat());
        assert_eq!(said.status, 0, "{arguments:?}: {said:?}");
        serde_json::from_str(&said.out).unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn by(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap();
        Self {
            status: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It was refused, with one line that holds all of this.
    pub(crate) fn refused(&self, words: &[&str]) {
        assert_eq!((self.status, self.err.lines().count()), (1, 1), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {:?}", self.err);
        }
    }
}

pub(crate) fn belfryctl() -> Command {
    Command::new(env!("CARGO_BIN_EXE_belfryctl"))
}

pub(crate) fn ctl(socket: &Path, arguments: &[&str]) -> Said {
    Said::by(belfryctl().arg("--socket").arg(socket).args(arguments))
}

/// A program that goes on, and the lines that it has written.
pub(crate) struct Tail {
    child: Child,
    pub(crate) lines: mpsc::Receiver<String>,
}

impl Tail {
    pub(crate) fn start(host: &Host, arguments: &[&str]) -> Self {
        let mut child = belfryctl()
            .arg("--socket")
            .arg(host.socket())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self { child, lines }
    }

    pub(crate) fn end(&mut self) -> i32 {
        let child = &mut self.child;
        until("the tail to end", || child.try_wait().unwrap())
            .code()
            .unwrap()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
