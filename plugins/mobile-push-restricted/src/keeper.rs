//! Keeps what is in force true to the folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use belfry_plugin_api::Host;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::desk::{Desk, Effect};
use crate::notices::Notices;
use crate::offer::{Finding, Provider};
use crate::reader::{Reader, Reading};
use crate::watch::{Activity, RESCAN};

/// How long what is broken or gone must stay so to be believed.
const GRACE: Duration = Duration::from_secs(1);

/// Looks at the folder whenever it may have changed, and tells the host what came of it.
pub(crate) struct Keeper {
    host: Host,
    desk: Arc<Desk>,
    activity: Arc<Activity>,
    folder: watch::Receiver<PathBuf>,
    reader: Option<Reader>,
    notices: Notices,
    /// Since when something is found that is not believed yet.
    doubtful: Option<Instant>,
}

impl Keeper {
    pub(crate) fn new(
        host: Host,
        desk: Arc<Desk>,
        activity: Arc<Activity>,
        folder: watch::Receiver<PathBuf>,
    ) -> Self {
        Self {
            host,
            desk,
            activity,
            folder,
            reader: None,
            notices: Notices::default(),
            doubtful: None,
        }
    }

    /// Takes up what is there when the plugin starts.
    pub(crate) async fn look_first(&mut self) {
        // Nobody has asked yet, so there is nothing to tell the host.
        self.look(true).await;
    }

    /// Goes on for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let pause = match self.doubtful {
                Some(since) => (since + GRACE).saturating_duration_since(Instant::now()),
                None => RESCAN,
            };
            self.activity.settled(pause).await;
            let certain = self.doubtful.is_some_and(|since| since.elapsed() >= GRACE);
            for provider in self.look(certain).await {
                self.host.credential_changed(provider.as_str()).await;
            }
        }
    }

    /// Returns whose credential is another one now.
    async fn look(&mut self, certain: bool) -> Vec<Provider> {
        let Some(reading) = self.read().await else {
            self.doubtful = None;
            return Vec::new();
        };
        let mut changed = Vec::new();
        let mut doubtful = false;
        for (provider, finding) in reading.findings.iter() {
            match self.desk.take(*provider, finding, certain) {
                Effect::None => {}
                Effect::Changed => {
                    changed.push(*provider);
                    tell_change(*provider, finding);
                }
                Effect::Doubtful => doubtful = true,
            }
        }
        self.doubtful = doubtful.then(|| self.doubtful.unwrap_or_else(Instant::now));
        if !doubtful {
            let watching = self.reader.as_ref().map_or(Ok(()), Reader::watching);
            let Reading { contents, findings } = &reading;
            self.notices
                .tell(contents, findings, &self.desk, watching, now_s());
        }
        changed
    }

    /// `None` where reading failed in a way that no file should be able to bring about.
    async fn read(&mut self) -> Option<Reading> {
        let folder = self.folder.borrow_and_update().clone();
        let activity = self.activity.clone();
        let mut reader = self.reader.take().unwrap_or_else(|| Reader::new(activity));
        let read = tokio::task::spawn_blocking(move || {
            let reading = reader.read(&folder);
            (reader, reading)
        });
        match read.await {
            Ok((reader, reading)) => {
                self.reader = Some(reader);
                Some(reading)
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    "reading {} failed; what was offered before stays in force",
                    self.folder.borrow().display()
                );
                None
            }
        }
    }
}

fn tell_change(provider: Provider, finding: &Finding) {
    match finding {
        Finding::Good(offer) => tracing::info!("for {provider}, {offer} is in force"),
        Finding::Absent(why) | Finding::Broken(why) => {
            tracing::warn!("nothing is offered for {provider} any more: {why}");
        }
    }
}

fn now_s() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
