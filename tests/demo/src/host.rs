//! The host: `belfryd` with a configuration, plugins and state of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use tokio::process::Command;
use uuid::Uuid;

use crate::child::Child;
use crate::wait::until;

/// The login of mail servers at the internal address.
const LOGIN: &str = "dovecot";

/// A running host.
pub(crate) struct Host {
    process: Child,
    ctl: PathBuf,
    state: PathBuf,
    password: String,
    /// Where it listens.
    pub(crate) endpoints: Endpoints,
}

/// `STATE/endpoints.json`, which the host writes when it is ready.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Endpoints {
    pub(crate) public: String,
    pub(crate) internal: String,
}

impl Host {
    /// Starts a host that reads `providers` (a properties file) and speaks to the mail server at
    /// `imap`, and waits until it is ready.
    pub(crate) async fn start(
        dist: &Path,
        folder: &Path,
        providers: &Path,
        imap: &str,
    ) -> Result<Self> {
        let [config, state, restricted] =
            ["etc", "state", "restricted"].map(|name| folder.join(name));
        for new in [&config, &state, &restricted] {
            fs::create_dir(new)?;
        }
        fs::copy(providers, config.join("providers.properties"))?;
        let password = Uuid::new_v4().simple().to_string();
        let properties = format!(
            "belfry.http.public.listen = 127.0.0.1:0\n\
             belfry.http.internal.listen = 127.0.0.1:0\n\
             belfry.imap.url = {imap}\n\
             belfry.mobile-push-restricted.folder = {}\n\
             com.openexchange.rest.services.basic-auth.login = {LOGIN}\n\
             com.openexchange.rest.services.basic-auth.password = {password}\n\
             com.openexchange.capability.mobile_mail_app = true\n",
            restricted.display()
        );
        fs::write(config.join("belfry.properties"), properties)?;
        let [config, plugins, own_state] =
            [&config, &dist.join("plugins"), &state].map(|path| path.display().to_string());
        let mut process = Child::start(
            &dist.join("bin/belfryd"),
            &[
                "--config",
                &config,
                "--plugins",
                &plugins,
                "--state",
                &own_state,
            ],
            folder.join("belfryd.log"),
        )?;
        let file = state.join("endpoints.json");
        let endpoints = until("the host to be ready", async || {
            process.runs()?;
            // Written in one step, so it is there whole or not at all.
            let Ok(json) = fs::read(&file) else {
                return Ok(None);
            };
            Ok(Some(serde_json::from_slice(&json)?))
        });
        let endpoints = endpoints.await?;
        Ok(Self {
            process,
            ctl: dist.join("bin/belfryctl"),
            state,
            password,
            endpoints,
        })
    }

    /// The URL that a mail server notifies, with its login and password.
    pub(crate) fn notify_url(&self) -> String {
        let address = self.endpoints.internal.trim_start_matches("http://");
        let password = &self.password;
        format!("http://{LOGIN}:{password}@{address}/preliminary/http-notify/v1/notify")
    }

    /// Waits until all plugins run; returns their ids.
    pub(crate) async fn plugins(&mut self) -> Result<Vec<String>> {
        until("the plugins to be ACTIVE", async || {
            self.process.runs()?;
            let list = self.ctl(&["plugin", "list", "--json"]).await?;
            let list: serde_json::Value = serde_json::from_str(&list)?;
            let list = list.get("plugins").unwrap_or(&list).as_array().cloned();
            let list = list.context("belfryctl listed no plugins")?;
            let of = |key: &str| -> Vec<String> {
                let text = |plugin: &serde_json::Value| plugin[key].as_str().map(str::to_owned);
                list.iter().filter_map(text).collect()
            };
            let are_active = of("state").iter().all(|state| state == "ACTIVE");
            Ok((are_active && !list.is_empty()).then(|| of("id")))
        })
        .await
    }

    /// Waits until a permanent listener runs for a user.
    pub(crate) async fn listens_for(&mut self, user: u64, context: u64) -> Result<String> {
        let wanted = format!("user={user}, context={context}, permanent=true");
        until(&format!("a listener: {wanted}"), async || {
            self.process.runs()?;
            let listed = self.ctl(&["listpushusers"]).await?;
            Ok(listed
                .lines()
                .any(|line| line == wanted)
                .then(|| wanted.clone()))
        })
        .await
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        self.process.last_words()
    }

    async fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.ctl)
            .arg("--socket")
            .arg(self.state.join("admin.sock"))
            .args(arguments)
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start belfryctl")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            anyhow::bail!("belfryctl {}: {}", arguments.join(" "), said.trim_end());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}
