//! Offers the provider certificates and keys of a folder as a credential backend, and takes up
//! replaced files at once.
//!
//! The folder's `restricted.toml` names the files beside it (`names`). A `reader` reads and checks
//! them, `watch` says when that is worth while, and the `keeper` puts what is good into force at
//! the `desk`, where the host's questions are answered.
//!
//! Of several files that belong together, `restricted.toml` is best replaced last, or all are
//! swapped at once by a symbolic link: until they fit each other, the credential from before stays
//! in force.
#![forbid(unsafe_code)]

mod apns;
mod certificate;
mod contents;
mod desk;
mod fcm;
mod file_name;
mod keeper;
mod names;
mod notices;
mod offer;
mod reader;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use belfry_plugin_api::frame::ProviderCredential;
use belfry_plugin_api::{Config, CredentialBackend, Error, Host, Plugin, Result, export_plugin};
use tokio::task::JoinHandle;

use desk::Desk;
use keeper::Keeper;
use offer::Provider;
use watch::Activity;

const FOLDER: &str = "belfry.mobile-push-restricted.folder";

/// The plugin.
pub struct Restricted {
    desk: Arc<Desk>,
    folder: tokio::sync::watch::Sender<PathBuf>,
    activity: Arc<Activity>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

fn folder(config: &Config) -> Result<PathBuf> {
    let folder = config.text(FOLDER).ok_or_else(|| {
        Error::permanent(format_args!(
            "{FOLDER} is empty: it must name the folder of restricted.toml"
        ))
    })?;
    Ok(std::path::absolute(folder)?)
}

impl Plugin for Restricted {
    async fn start(host: Host, config: Config) -> Result<Self> {
        let (folder, chosen) = tokio::sync::watch::channel(folder(&config)?);
        let desk = Arc::new(Desk::default());
        let activity = Arc::new(Activity::default());
        let mut keeper = Keeper::new(host, desk.clone(), activity.clone(), chosen);
        // So that the first question is already answered with what is there.
        keeper.look_first().await;
        Ok(Self {
            desk,
            folder,
            activity,
            keeper: Mutex::new(Some(tokio::spawn(keeper.run()))),
        })
    }

    async fn configure(&self, config: Config) -> Result<()> {
        let chosen = folder(&config)?;
        let changed = self.folder.send_if_modified(|folder| {
            let changed = *folder != chosen;
            *folder = chosen;
            changed
        });
        if changed {
            self.activity.stir();
        }
        Ok(())
    }

    async fn stop(&self) {
        let keeper = self
            .keeper
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(keeper) = keeper {
            keeper.abort();
            // Its end takes the watcher and its thread along.
            let _ = keeper.await;
        }
    }
}

impl CredentialBackend for Restricted {
    async fn provider_credential(&self, provider: String) -> Result<Option<ProviderCredential>> {
        match Provider::named(&provider) {
            Some(provider) => self.desk.answer(provider),
            None => Ok(None),
        }
    }
}

export_plugin!(Restricted: CredentialBackend);
