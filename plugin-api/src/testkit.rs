//! Runs a plugin in a unit test, without a host.
//!
//! The plugin runs as it would in a host: through its root module's `run`, on a thread of its own,
//! over frames. The test is the host.

mod data_folder;
mod link;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::boundary::HostLink_TO;
use crate::describe::Exported;
use crate::error::{Error, Result};
use crate::event::{Event, Properties};
use crate::frame::{
    Account, Answer, Answered, Configure, CredentialQuestion, Delivery, EventDelivery, Handled,
    HttpCall, HttpReply, Level, Listen, LogLevel, LogRecord, Numbered, Outcome, ProviderCredential,
    Report, Start, Stop, ToHost, ToPlugin,
};
use crate::manifest::Manifest;
use crate::user::User;
use data_folder::DataFolder;
use link::TestLink;

/// How long a plugin may take for anything before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A host made for one plugin and one test.
pub struct TestHost {
    manifest: Manifest,
    to_plugin: Sender<Vec<u8>>,
    from_plugin: UnboundedReceiver<ToHost>,
    plugin: std::thread::JoinHandle<Result<()>>,
    data_folder: DataFolder,
    next: u64,
    published: Vec<Event>,
    credentials: BTreeMap<String, ProviderCredential>,
    answers: Vec<Properties>,
    changed: VecDeque<String>,
    logs: Vec<LogRecord>,
}

impl TestHost {
    /// Starts a plugin with some configuration and waits until it is ready. Keys that are not
    /// given have the manifest's defaults.
    ///
    /// # Errors
    ///
    /// What the plugin's `start` failed with; or the manifest is wrong or has no such key.
    pub async fn start<P: Exported>(config: &[(&str, &str)]) -> Result<Self> {
        Self::start_with::<P>(config, BTreeMap::new()).await
    }

    /// Like [`TestHost::start`], with provider credentials for the plugin to ask for.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn start_with<P: Exported>(
        config: &[(&str, &str)],
        credentials: BTreeMap<String, ProviderCredential>,
    ) -> Result<Self> {
        let manifest = Manifest::parse(P::MANIFEST.as_bytes())?;
        let (to_plugin, inbox) = channel();
        let (outbox, from_plugin) = unbounded_channel();
        let link = TestLink {
            inbox: Mutex::new(inbox),
            outbox,
        };
        let plugin = std::thread::Builder::new()
            .name("plugin".into())
            .spawn(move || {
                crate::sdk::run::<P>(HostLink_TO::from_value(
                    link,
                    abi_stable::sabi_trait::TD_Opaque,
                ))
            })?;
        let data_folder = DataFolder::new(P::NAME)?;
        let mut host = Self {
            manifest,
            to_plugin,
            from_plugin,
            plugin,
            data_folder,
            next: 1,
            published: Vec::new(),
            credentials,
            answers: Vec::new(),
            changed: VecDeque::new(),
            logs: Vec::new(),
        };
        let config = host.values(config)?;
        let start = Start {
            generation: 1,
            host_version: crate::describe::API_VERSION.to_owned(),
            data_folder: host.data_folder.path().display().to_string(),
            config,
            log_level: Level::Debug,
        };
        host.say(&ToPlugin::Start(start))?;
        let ready = host
            .wait(|frame| match frame {
                ToHost::Ready(ready) => Ok(ready),
                other => Err(other),
            })
            .await?;
        if ready.kinds == host.manifest.kinds() {
            Ok(host)
        } else {
            Err(Error::permanent(format_args!(
                "the manifest offers {:?}, the code {:?}",
                host.manifest.kinds(),
                ready.kinds
            )))
        }
    }

    /// Hands the plugin's listener a request of a mail server.
    ///
    /// # Errors
    ///
    /// What the listener failed with.
    pub async fn report(
        &mut self,
        route: &str,
        user: Option<User>,
        body: &str,
    ) -> Result<Vec<Event>> {
        let id = i64::try_from(self.number()).unwrap_or(i64::MAX);
        let report = Report {
            id,
            route: route.to_owned(),
            user,
            body: Bytes::copy_from_slice(body.as_bytes()),
            received_at_ms: now_ms(),
        };
        self.say(&ToPlugin::Reports(vec![report]))?;
        self.wait(move |frame| match frame {
            ToHost::ReportsDone(mut done) if done.iter().any(|one| one.id == id) => {
                Ok(done.swap_remove(0).result)
            }
            other => Err(other),
        })
        .await?
    }

    /// Hands the plugin's event handler an event.
    ///
    /// # Errors
    ///
    /// What the handler failed with.
    pub async fn handle(&mut self, event: Event) -> Result<Handled> {
        let id = self.number();
        self.say(&ToPlugin::Events(vec![EventDelivery { id, event }]))?;
        self.wait(move |frame| match frame {
            ToHost::EventsDone(mut done) if done.iter().any(|one| one.id == id) => {
                Ok(done.swap_remove(0).result)
            }
            other => Err(other),
        })
        .await?
    }

    /// Hands the plugin's transport messages, all at once; returns the outcomes in their order.
    ///
    /// # Errors
    ///
    /// The plugin failed or did not answer all of them.
    pub async fn deliver(&mut self, deliveries: Vec<Delivery>) -> Result<Vec<Outcome>> {
        let order: Vec<i64> = deliveries.iter().map(|delivery| delivery.id).collect();
        self.say(&ToPlugin::Deliveries(deliveries))?;
        let mut outcomes = BTreeMap::new();
        while outcomes.len() < order.len() {
            let done = self
                .wait(|frame| match frame {
                    ToHost::DeliveriesDone(done) => Ok(done),
                    other => Err(other),
                })
                .await?;
            outcomes.extend(done.into_iter().map(|one| (one.id, one.outcome)));
        }
        Ok(order.iter().filter_map(|id| outcomes.remove(id)).collect())
    }

    /// Has the plugin's listener begin or end to listen for a user.
    ///
    /// # Errors
    ///
    /// What the listener failed with.
    pub async fn listen(&mut self, account: Account, begin: bool) -> Result<()> {
        let id = self.number();
        let body = Listen { account, begin };
        self.say(&ToPlugin::Listen(Numbered { id, body }))?;
        self.wait(move |frame| match frame {
            ToHost::Listened(answer) if answer.id == id => Ok(answer.body),
            other => Err(other),
        })
        .await?
    }

    /// Asks the plugin's credential backend.
    ///
    /// # Errors
    ///
    /// What the backend failed with.
    pub async fn credential(&mut self, provider: &str) -> Result<Option<ProviderCredential>> {
        let id = self.number();
        let body = CredentialQuestion {
            provider: provider.to_owned(),
        };
        self.say(&ToPlugin::Credential(Numbered { id, body }))?;
        self.wait(move |frame| match frame {
            ToHost::Credential(answer) if answer.id == id => Ok(answer.body),
            other => Err(other),
        })
        .await?
    }

    /// Has the plugin answer an HTTP request.
    ///
    /// # Errors
    ///
    /// What it failed with.
    pub async fn http(&mut self, body: HttpCall) -> Result<HttpReply> {
        let id = self.number();
        self.say(&ToPlugin::Http(Numbered { id, body }))?;
        self.wait(move |frame| match frame {
            ToHost::HttpReply(answer) if answer.id == id => Ok(answer.body),
            other => Err(other),
        })
        .await?
    }

    /// Changes the configuration. The plugin takes it up in its own time.
    ///
    /// # Errors
    ///
    /// The manifest has no such key.
    pub fn configure(&mut self, config: &[(&str, &str)]) -> Result<()> {
        let values = self.values(config)?;
        self.say(&ToPlugin::Configure(values))
    }

    /// Changes what the host answers when the plugin asks for a provider's credential, and tells
    /// the plugin so.
    ///
    /// # Errors
    ///
    /// The plugin has ended.
    pub fn change_credential(
        &mut self,
        provider: &str,
        credential: ProviderCredential,
    ) -> Result<()> {
        self.credentials.insert(provider.to_owned(), credential);
        let provider = provider.to_owned();
        self.say(&ToPlugin::CredentialChanged(CredentialQuestion {
            provider,
        }))
    }

    /// What the handlers of this host answer to the plugin's requests.
    pub fn set_answers(&mut self, answers: Vec<Properties>) {
        self.answers = answers;
    }

    /// Waits until the plugin says that a provider's credential has changed, unless it has said so
    /// already; each change is told once, in their order.
    ///
    /// # Errors
    ///
    /// It did not say so in time.
    pub async fn credential_changed(&mut self) -> Result<String> {
        loop {
            if let Some(provider) = self.changed.pop_front() {
                return Ok(provider);
            }
            self.serve_next().await?;
        }
    }

    /// Waits until the plugin has logged a record that the test wants to see, unless it has done so
    /// already.
    ///
    /// # Errors
    ///
    /// It did not do so in time.
    pub async fn logged(&mut self, wanted: impl Fn(&LogRecord) -> bool) -> Result<LogRecord> {
        let mut seen = 0;
        loop {
            if let Some(record) = self.logs[seen..].iter().find(|record| wanted(record)) {
                return Ok(record.clone());
            }
            seen = self.logs.len();
            self.serve_next().await?;
        }
    }

    /// Says from which level on records are wanted; at first from `debug` on. Plugins in one test
    /// process share this.
    ///
    /// # Errors
    ///
    /// The plugin has ended.
    pub fn log_from(&mut self, level: Level) -> Result<()> {
        self.say(&ToPlugin::LogLevel(LogLevel { level }))
    }

    /// Waits until the plugin has published an event, and returns all that it has published since
    /// the last call.
    ///
    /// # Errors
    ///
    /// It published nothing in time.
    pub async fn published(&mut self) -> Result<Vec<Event>> {
        while self.published.is_empty() {
            self.serve_next().await?;
        }
        Ok(std::mem::take(&mut self.published))
    }

    /// What the plugin has logged until now.
    pub fn logs(&self) -> &[LogRecord] {
        &self.logs
    }

    /// Stops the plugin and waits for its end.
    ///
    /// # Errors
    ///
    /// It panicked, or did not end in time.
    pub async fn stop(mut self) -> Result<()> {
        let deadline_ms = 5_000;
        self.say(&ToPlugin::Stop(Stop { deadline_ms }))?;
        self.wait(|frame| match frame {
            ToHost::Stopped(()) => Ok(()),
            other => Err(other),
        })
        .await?;
        self.plugin
            .join()
            .map_err(|_| Error::permanent("the plugin's thread panicked"))?
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn values(&self, config: &[(&str, &str)]) -> Result<Configure> {
        let mut configure = Configure::default();
        for key in &self.manifest.keys {
            if let Some(default) = &key.default {
                configure
                    .values
                    .insert(key.name.clone(), default.as_str().into());
            }
        }
        for (name, value) in config {
            if !self.manifest.keys.iter().any(|key| key.name == *name) {
                return Err(Error::permanent(format_args!(
                    "the manifest has no key {name}"
                )));
            }
            configure.values.insert((*name).to_owned(), (*value).into());
        }
        Ok(configure)
    }

    fn say(&self, frame: &ToPlugin) -> Result<()> {
        let mut buffer = BytesMut::new();
        frame.encode(&mut buffer)?;
        self.to_plugin
            .send(buffer.to_vec())
            .map_err(|_| Error::permanent("the plugin has ended"))
    }

    /// Does a host's work until a frame comes that the caller waits for.
    async fn wait<T>(&mut self, mut wanted: impl FnMut(ToHost) -> Result<T, ToHost>) -> Result<T> {
        loop {
            match wanted(self.next_frame().await?) {
                Ok(found) => return Ok(found),
                Err(other) => self.serve(other)?,
            }
        }
    }

    async fn serve_next(&mut self) -> Result<()> {
        let frame = self.next_frame().await?;
        self.serve(frame)
    }

    async fn next_frame(&mut self) -> Result<ToHost> {
        match tokio::time::timeout(PATIENCE, self.from_plugin.recv()).await {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(Error::permanent("the plugin has ended")),
            Err(_) => Err(Error::permanent(format_args!(
                "the plugin did not answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    fn serve(&mut self, frame: ToHost) -> Result<()> {
        let (id, answered) = match frame {
            ToHost::Publish(Numbered { id, body }) => {
                self.published.extend(body.events);
                (id, Answered::Done)
            }
            ToHost::Request(Numbered { id, .. }) => (id, Answered::Answers(self.answers.clone())),
            ToHost::AskCredential(Numbered { id, body }) => {
                let credential = self.credentials.get(&body.provider).cloned();
                (id, Answered::Credential(credential))
            }
            ToHost::Log(records) => {
                self.logs.extend(records);
                return Ok(());
            }
            ToHost::CredentialChanged(which) => {
                self.changed.push_back(which.provider);
                return Ok(());
            }
            ToHost::Failed(failed) => return Err(Error::permanent(failed.reason)),
            _ => return Ok(()),
        };
        let result = Ok(answered);
        self.say(&ToPlugin::Answer(Answer { id, result }))
    }
}

fn now_ms() -> Option<i64> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    i64::try_from(now.as_millis()).ok()
}
