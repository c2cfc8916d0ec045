//! A database, a configuration, and test doubles for the two seams: mail server and plugins.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use belfry_plugin_api::Error;
use belfry_plugin_api::frame::{Account, MailCredentials};
use belfry_plugin_api::manifest::PluginId;
use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;
use futures_util::future::BoxFuture;

use crate::config::{Config, Folder, Registry, host_keys};
use crate::push::{
    Candidate, CheckError, Device, ListenerPlugins, LoginAttempt, LoginError, PasswordCheck, Push,
    Session, Settings, Subscribed,
};
use crate::storage::Storage;

/// A master user at the mail server.
pub(crate) const MASTER: [&str; 3] = [
    "com.openexchange.mail.passwordSource=global",
    "com.openexchange.mail.masterPassword=secret",
    "belfry.imap.master-user=root",
];

pub(crate) const APP: &str = "open-xchange-mailapp";
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
pub(crate) const ANNA: User = User { context: 1, id: 3 };
pub(crate) const BERTA: User = User { context: 1, id: 4 };

/// The mail server: everybody's password is `pw`, unless it was changed.
#[derive(Default)]
pub(crate) struct MailServer {
    pub(crate) passwords: Mutex<HashMap<String, String>>,
    pub(crate) away: Mutex<bool>,
    pub(crate) asked: Mutex<u32>,
}

impl PasswordCheck for MailServer {
    fn check<'a>(
        &'a self,
        _settings: &'a Settings,
        login: &'a str,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<(), CheckError>> {
        *self.asked.lock().unwrap() += 1;
        let passwords = self.passwords.lock().unwrap();
        let right = passwords.get(login).map_or("pw", String::as_str);
        let answer = match () {
            () if *self.away.lock().unwrap() => Err(CheckError::Unavailable("it is away".into())),
            () if password.expose_str() == Some(right) => Ok(()),
            () => Err(CheckError::Wrong),
        };
        Box::pin(async { answer })
    }
}

/// The plugins: they note what they are told, and need credentials unless said otherwise.
#[derive(Default)]
pub(crate) struct Plugins {
    pub(crate) candidates: Mutex<Vec<Candidate>>,
    told: Mutex<Vec<String>>,
    pub(crate) failing: Mutex<Option<Error>>,
    pub(crate) needs_no_credentials: Mutex<HashSet<PluginId>>,
}

impl Plugins {
    pub(crate) fn add(&self, plugin: &str, permanent: bool, ranking: i32) {
        self.candidates.lock().unwrap().push(Candidate {
            plugin: id(plugin),
            permanent,
            ranking,
        });
    }

    pub(crate) fn remove(&self, plugin: &str) {
        let mut candidates = self.candidates.lock().unwrap();
        candidates.retain(|candidate| candidate.plugin != id(plugin));
    }

    /// What the plugins were told since this was asked last.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    pub(crate) fn was_told(&self) -> usize {
        self.told.lock().unwrap().len()
    }

    fn answer(&self, plugin: &PluginId, account: &Account) -> Result<(), Error> {
        if let Some(error) = &*self.failing.lock().unwrap() {
            return Err(error.clone());
        }
        let needs = !self.needs_no_credentials.lock().unwrap().contains(plugin);
        if needs && account.credentials.is_none() {
            return Err(Error::permanent("there are no credentials"));
        }
        Ok(())
    }
}

impl ListenerPlugins for Plugins {
    fn candidates(&self) -> Vec<Candidate> {
        self.candidates.lock().unwrap().clone()
    }

    fn listen(
        &self,
        plugin: &PluginId,
        account: Account,
        begin: bool,
    ) -> BoxFuture<'_, Result<(), Error>> {
        let credentials = match &account.credentials {
            None => "nothing".into(),
            Some(MailCredentials::Password { password }) => {
                password.expose_str().unwrap().to_owned()
            }
            Some(MailCredentials::Master { master, .. }) => format!("master {master}"),
        };
        let told = format!(
            "{plugin}: {} {} ({}{}) with {credentials}",
            if begin { "begin" } else { "end" },
            account.user,
            account.login,
            if account.permanent { ", permanent" } else { "" },
        );
        self.told.lock().unwrap().push(told);
        let answer = self.answer(plugin, &account);
        Box::pin(async { answer })
    }
}

pub(crate) struct World {
    pub(crate) push: Arc<Push>,
    pub(crate) storage: Storage,
    pub(crate) config: Arc<Config>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) mail_server: Arc<MailServer>,
    folder: tempfile::TempDir,
}

impl World {
    /// One listener plugin, `dovecot`, which can be permanent, and these further properties.
    pub(crate) async fn new(properties: &[&str]) -> Self {
        let plugins = Arc::new(Plugins::default());
        plugins.add("dovecot", true, 0);
        Self::with(tempfile::tempdir().unwrap(), plugins, properties).await
    }

    async fn with(folder: tempfile::TempDir, plugins: Arc<Plugins>, properties: &[&str]) -> Self {
        write_properties(&folder, properties);
        let registry = Registry::new(host_keys(folder.path()));
        let config = Config::load(Folder::usual(folder.path()), vec![], registry).unwrap();
        let config = Arc::new(config);
        let url = config
            .snapshot()
            .get("belfry.database.url")
            .unwrap()
            .to_owned();
        let storage = Storage::open(&url, folder.path()).await.unwrap();
        let mail_server = Arc::new(MailServer::default());
        let push = Push::new(
            Arc::clone(&config),
            storage.clone(),
            Arc::clone(&mail_server) as _,
            Arc::clone(&plugins) as _,
        );
        let push = push.unwrap();
        push.start();
        push.plugin_active(&id("dovecot"));
        Self {
            push,
            storage,
            config,
            plugins,
            mail_server,
            folder,
        }
    }

    /// The host ends, and starts again with the same database and these properties.
    pub(crate) async fn restart(self, properties: &[&str]) -> Self {
        self.push.stop().await;
        self.storage.close().await;
        Self::with(self.folder, self.plugins, properties).await
    }

    /// The operator writes other properties.
    pub(crate) fn configure(&self, properties: &[&str]) {
        write_properties(&self.folder, properties);
        self.config.reload().unwrap();
    }

    pub(crate) async fn try_log_in(
        &self,
        login: &str,
        password: &str,
    ) -> Result<Arc<Session>, LoginError> {
        let attempt = LoginAttempt {
            login: login.into(),
            password: password.into(),
            client: APP.into(),
            address: ADDRESS,
        };
        let (token, session) = self.push.log_in(attempt).await?;
        assert_eq!(self.push.session(token.expose()).unwrap().id, session.id);
        Ok(session)
    }

    pub(crate) async fn log_in(&self, login: &str) -> Arc<Session> {
        self.try_log_in(login, "pw").await.unwrap()
    }

    pub(crate) async fn subscribe(&self, session: &Session, token: &str) -> Subscribed {
        self.push.subscribe(session, device(token)).await.unwrap()
    }

    pub(crate) async fn unsubscribe(&self, session: &Session, token: &str) -> bool {
        let removed = self.push.unsubscribe(session, "apns", &token.into()).await;
        removed.unwrap()
    }

    /// The lines of `listpushusers`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let listeners = self.push.listeners();
        let hearing = listeners.iter().filter(|listener| listener.hears());
        hearing.map(ToString::to_string).collect()
    }

    pub(crate) async fn is_registered(&self, user: User) -> bool {
        self.push.is_registered(user).await.unwrap()
    }

    /// What the plugins are told, once they are told anything.
    pub(crate) async fn told(&self) -> Vec<String> {
        until("the plugins are told something", || {
            self.plugins.was_told() > 0
        })
        .await;
        self.plugins.told()
    }

    /// Waits until every turn that was due has come: a turn of the user comes after those.
    pub(crate) async fn settle(&self, user: User) {
        self.push.listeners.changed_and_settled(user).await;
    }
}

pub(crate) fn device(token: &str) -> Device {
    Device {
        transport: "apns".into(),
        token: token.into(),
        app: None,
    }
}

pub(crate) fn id(plugin: &str) -> PluginId {
    plugin.parse().unwrap()
}

pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not within 10 s: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn write_properties(folder: &tempfile::TempDir, properties: &[&str]) {
    let mut lines = vec!["com.openexchange.capability.mobile_mail_app=true"];
    lines.extend(properties);
    // Later lines of a test take the place of earlier ones.
    let unique: HashMap<&str, &str> = lines
        .iter()
        .filter_map(|line| line.split_once('='))
        .collect();
    let text: String = unique
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    fs::write(folder.path().join("test.properties"), text).unwrap();
}
