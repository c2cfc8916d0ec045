//! A host of its own for a test.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tempfile::TempDir;

use crate::artifacts;
use crate::wait::until;

/// What a host is started with.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    plugins: Vec<String>,
    properties: Vec<(String, String)>,
}

impl Builder {
    /// Puts a plugin into the plugins folder.
    #[must_use]
    pub fn plugin(mut self, id: &str) -> Self {
        self.plugins.push(id.to_owned());
        self
    }

    /// Sets a property.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.properties.push((key.to_owned(), value.to_string()));
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Host {
        let folder = tempfile::Builder::new()
            .prefix("belfry-")
            .tempdir()
            .unwrap();
        for name in ["etc", "plugins", "state"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut host = Host {
            folder,
            child: None,
            public: String::new(),
            internal: String::new(),
            logs: 0,
        };
        for id in &self.plugins {
            host.put_plugin(id, &artifacts::plugin(id));
        }
        let usual = [
            ("belfry.http.public.listen", "127.0.0.1:0"),
            ("belfry.http.internal.listen", "127.0.0.1:0"),
            ("com.openexchange.rest.services.basic-auth.login", LOGIN),
            (
                "com.openexchange.rest.services.basic-auth.password",
                PASSWORD,
            ),
            ("com.openexchange.capability.mobile_mail_app", "true"),
        ];
        for (key, value) in usual {
            if !self.properties.iter().any(|(other, _)| other == key) {
                host.set(key, value);
            }
        }
        for (key, value) in &self.properties {
            host.set(key, value);
        }
        host.start().await;
        // From here on it keeps its addresses over restarts.
        let (internal, public) = (host.internal.clone(), host.public.clone());
        host.set(
            "belfry.http.internal.listen",
            internal.trim_start_matches("http://"),
        );
        host.set(
            "belfry.http.public.listen",
            public.trim_start_matches("http://"),
        );
        host
    }
}

/// The login of mail servers.
pub const LOGIN: &str = "dovecot";

/// The password of mail servers.
pub const PASSWORD: &str = "internal-Secret-1";

/// A running host. It is killed when it is dropped.
pub struct Host {
    folder: TempDir,
    child: Option<Child>,
    public: String,
    internal: String,
    logs: u32,
}

impl Host {
    /// What to start one with.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The URL of the public address.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The URL of the internal address.
    pub fn internal(&self) -> &str {
        &self.internal
    }

    /// The URL that a mail server notifies, with its login and password.
    pub fn notify_url(&self) -> String {
        let address = self.internal.trim_start_matches("http://");
        format!("http://{LOGIN}:{PASSWORD}@{address}/preliminary/http-notify/v1/notify")
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The plugins folder.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// How often it was started.
    pub fn starts(&self) -> u32 {
        self.logs
    }

    /// The host's process.
    pub fn pid(&self) -> i32 {
        self.child
            .as_ref()
            .map_or(0, |child| i32::try_from(child.id()).unwrap())
    }

    /// The process of a plugin, where it runs in one of its own.
    pub fn plugin_pid(&self, id: &str) -> Option<i32> {
        let children = format!("/proc/{0}/task/{0}/children", self.pid());
        let name = format!("belfryd: {id}\0");
        // Each thread of the host may have started it.
        let tasks = fs::read_dir(Path::new(&children).parent()?.parent()?).ok()?;
        let mut pids = tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok())
            .flat_map(|pids| {
                pids.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            });
        let is_it = |pid: &String| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.starts_with(name.as_bytes()))
        };
        pids.find(is_it)?.parse().ok()
    }

    /// Sets a property in a file of its own; a running host takes it up by itself.
    pub fn set(&self, key: &str, value: &str) {
        let file = self
            .folder
            .path()
            .join("etc")
            .join(format!("{key}.properties"));
        let unfinished = file.with_extension("unfinished");
        fs::write(
            &unfinished,
            format!("{key} = {}\n", value.replace('\\', "\\\\")),
        )
        .unwrap();
        fs::rename(unfinished, file).unwrap();
    }

    /// Puts an artifact into the plugins folder, as a package manager does: under a temporary name
    /// first.
    pub fn put_plugin(&self, id: &str, artifact: &Path) {
        let unfinished = self.plugins().join(format!("{id}.so.dpkg-new"));
        fs::copy(artifact, &unfinished).unwrap();
        fs::rename(unfinished, self.plugins().join(format!("{id}.so"))).unwrap();
    }

    /// Starts the host and waits until it is ready.
    pub async fn start(&mut self) {
        let endpoints = self.state().join("endpoints.json");
        // A left-over of the run before would be believed.
        let _ = fs::remove_file(&endpoints);
        self.logs += 1;
        let log =
            fs::File::create(self.folder.path().join(format!("log-{:03}", self.logs))).unwrap();
        let child = Command::new(artifacts::program("belfryd"))
            .arg("--config")
            .arg(self.folder.path().join("etc"))
            .arg("--plugins")
            .arg(self.plugins())
            .arg("--state")
            .arg(self.state())
            .env("BELFRY_LOG", "warn,belfry_host=debug,belfryd=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let said: Value = until("the host to be ready", async || {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("the host ended with {status}:\n{}", self.log());
            }
            serde_json::from_slice(&fs::read(&endpoints).ok()?).ok()
        })
        .await;
        said["public"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.public);
        said["internal"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.internal);
    }

    /// Kills the host as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Ends the host in order. Returns whether it said that it ended well.
    pub async fn end(&mut self) -> bool {
        let Some(mut child) = self.child.take() else {
            return true;
        };
        signal(i32::try_from(child.id()).unwrap(), Signal::TERM);
        until("the host to end", async || child.try_wait().unwrap())
            .await
            .success()
    }

    /// What all runs of the host have logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        for number in 1..=self.logs {
            let file = fs::File::open(self.folder.path().join(format!("log-{number:03}")));
            file.unwrap().read_to_string(&mut text).unwrap();
        }
        text
    }

    /// Runs `belfryctl` against this host. Returns its exit status and what it printed.
    pub async fn ctl(&self, arguments: &[&str]) -> (i32, String) {
        let output = tokio::process::Command::new(artifacts::program("belfryctl"))
            .arg("--socket")
            .arg(self.state().join("admin.sock"))
            .args(arguments)
            .output()
            .await
            .unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), text)
    }

    /// A plugin, as `belfryctl plugin list --json` shows it.
    pub async fn plugin(&self, id: &str) -> Option<Value> {
        let (status, text) = self.ctl(&["plugin", "list", "--json"]).await;
        if status != 0 {
            return None;
        }
        let list: Value = serde_json::from_str(&text).unwrap();
        let list = list.get("plugins").unwrap_or(&list);
        list.as_array()?
            .iter()
            .find(|plugin| plugin["id"] == id)
            .cloned()
    }

    /// Waits until `/metrics` has a line, `belfry_duplicates_total 6`.
    pub async fn counts(&self, line: &str) {
        let http = crate::app::client();
        until(line, async || {
            let answer = http.get(format!("{}/metrics", self.internal)).send().await;
            let text = answer.unwrap().text().await.unwrap();
            text.lines().any(|other| other == line).then_some(())
        })
        .await;
    }

    /// Waits until a plugin is in a state.
    pub async fn plugin_becomes(&self, id: &str, state: &str) -> Value {
        until(&format!("{id} to be {state}"), async || {
            self.plugin(id)
                .await
                .filter(|plugin| plugin["state"] == state)
        })
        .await
    }
}

impl Host {
    /// Waits until a permanent listener runs for a user, `USER@CONTEXT`.
    pub async fn listens_for(&self, user: &str) {
        let (id, context) = user.split_once('@').unwrap();
        let line = format!("user={id}, context={context}, permanent=true");
        until(&line, async || {
            self.listeners()
                .await
                .lines()
                .any(|other| other == line)
                .then_some(())
        })
        .await;
    }

    /// Waits until no listener runs.
    pub async fn listens_no_longer(&self) {
        until("no listener to run", async || {
            self.listeners().await.trim().is_empty().then_some(())
        })
        .await;
    }

    /// What `listpushusers` prints.
    pub async fn listeners(&self) -> String {
        let (status, text) = self.ctl(&["listpushusers"]).await;
        assert_eq!(status, 0, "{text}");
        text
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
        if let Some(folder) = std::env::var_os("BELFRY_TEST_LOGS") {
            let name = self.folder.path().file_name().unwrap_or_default();
            let kept = Path::new(&folder).join(name).with_extension("log");
            // Where it cannot be kept, the test that reads it says so.
            let _ = fs::create_dir_all(&folder).and_then(|()| fs::write(kept, self.log()));
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            #[expect(clippy::print_stderr, reason = "what a failed test is understood by")]
            {
                eprintln!("the last lines of the host's log:\n{}", last.join("\n"));
            }
        }
    }
}

/// Sends a signal to a process, which may have ended.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
