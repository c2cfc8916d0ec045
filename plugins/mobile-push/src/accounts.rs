//! The accounts in use, and what makes them new.
//!
//! An account is made of the operator's files or, where none are named, of what a credential
//! backend offers. It is made anew when the configuration or the credential changes; requests that
//! run go on with the account that they began with, whose connections close behind the last one.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use belfry_plugin_api::frame::ProviderCredential;
use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::{Config, Error, Host, Result};

use crate::apns::{ApnsAccount, ApnsAuth, ApnsSettings, PRODUCTION_ENDPOINT, SANDBOX_ENDPOINT};
use crate::clock::{Clock, SystemClock};
use crate::fcm::{self, FcmAccount, FcmSettings, ServiceAccount};
use crate::http2::{Options, Origin};
use crate::jwt::{ProviderTokens, SigningKey};
use crate::keystore;
use crate::settings::{ApnsWanted, FcmWanted, Settings};
use crate::{APNS, FCM};

/// How long a transport without an account waits before it looks again, in milliseconds. A changed
/// configuration or credential ends the wait.
pub(crate) const PAUSE_MS: u64 = 60_000;

/// An account, or why there is none.
type Account<T> = Result<Arc<T>, String>;

pub(crate) struct Accounts {
    host: Host,
    clock: Arc<dyn Clock>,
    tokens: ProviderTokens,
    /// One at a time makes accounts anew.
    changing: tokio::sync::Mutex<()>,
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    settings: Arc<Settings>,
    apns: Account<ApnsAccount>,
    fcm: Account<FcmAccount>,
}

impl Accounts {
    pub(crate) async fn set_up(host: Host, config: Config) -> Result<Self> {
        let settings = Settings::read(&config)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let not_yet = "the account is being set up";
        let accounts = Self {
            tokens: ProviderTokens::kept_in(host.data_folder(), clock.clone()),
            host,
            clock,
            changing: tokio::sync::Mutex::default(),
            current: RwLock::new(Current {
                settings: settings.into(),
                apns: Err(not_yet.to_owned()),
                fcm: Err(not_yet.to_owned()),
            }),
        };
        accounts.renew(true, true).await;
        Ok(accounts)
    }

    pub(crate) async fn configure(&self, config: Config) -> Result<()> {
        let settings = Settings::read(&config)?;
        self.write(|current| current.settings = settings.into());
        self.renew(true, true).await;
        Ok(())
    }

    pub(crate) async fn credential_changed(&self, provider: &str) {
        self.renew(provider == APNS, provider == FCM).await;
    }

    pub(crate) fn apns(&self) -> Account<ApnsAccount> {
        self.read().apns
    }

    pub(crate) fn fcm(&self) -> Account<FcmAccount> {
        self.read().fcm
    }

    pub(crate) fn apns_enabled(&self) -> bool {
        self.read().settings.apns.enabled
    }

    pub(crate) fn fcm_enabled(&self) -> bool {
        self.read().settings.fcm.enabled
    }

    pub(crate) fn time_to_live_s(&self) -> u32 {
        self.read().settings.time_to_live_s
    }

    /// Makes accounts anew. One that cannot be made replaces the old one only where it was the
    /// configuration or the credential that took the old one's ground away.
    async fn renew(&self, apns: bool, fcm: bool) {
        let _one_at_a_time = self.changing.lock().await;
        let settings = self.read().settings;
        if apns {
            let account = self.make_apns(&settings.apns).await;
            report(APNS, settings.apns.enabled, account.as_ref().err());
            self.write(|current| {
                current.apns = account.map(Arc::new).map_err(|error| error.to_string())
            });
            // What was held back for want of an account is tried again at once.
            self.host.transport_ready(APNS).await;
        }
        if fcm {
            let account = self.make_fcm(&settings.fcm).await;
            report(FCM, settings.fcm.enabled, account.as_ref().err());
            self.write(|current| {
                current.fcm = account.map(Arc::new).map_err(|error| error.to_string())
            });
            self.host.transport_ready(FCM).await;
        }
    }

    async fn make_apns(&self, wanted: &ApnsWanted) -> Result<ApnsAccount> {
        if !wanted.enabled {
            return Err(Error::permanent(
                "com.openxchange.mobilepush.events.apn.ios.enabled is false",
            ));
        }
        let credential = match (&wanted.keystore, &wanted.key) {
            (None, None) => self.offered(APNS, "no keystore (com.openxchange.mobilepush.events.apn.ios.keystore) and no key (belfry.mobile-push.apns.key) is set").await?,
            _ => from_files(wanted).await?,
        };
        let field = |name: &str| credential.fields.get(name);
        let text = |name: &str| field(name).and_then(Secret::expose_str).map(str::to_owned);
        let auth = match (field("keystore"), field("key")) {
            (Some(keystore), _) => {
                let password = field("password").cloned().unwrap_or_default();
                let identity = keystore::read(keystore.expose(), &password, SystemTime::now());
                ApnsAuth::Certificate(identity.map_err(permanent)?)
            }
            (None, Some(key)) => {
                let key = SigningKey::es256(key).map_err(permanent)?;
                let missing = |name: &str| {
                    Error::permanent(format_args!(
                        "an APNs key needs its {name} (belfry.mobile-push.apns.{name})"
                    ))
                };
                let key_id = text("key-id").ok_or_else(|| missing("key-id"))?;
                let team_id = text("team-id").ok_or_else(|| missing("team-id"))?;
                ApnsAuth::Token(self.tokens.of(key, &key_id, &team_id))
            }
            (None, None) => {
                return Err(Error::permanent(
                    "the credential holds neither a keystore nor a key",
                ));
            }
        };
        let offered_production = text("production").and_then(|text| text.parse().ok());
        let is_production = wanted.production.or(offered_production).unwrap_or(true);
        let usual = if is_production {
            PRODUCTION_ENDPOINT
        } else {
            SANDBOX_ENDPOINT
        };
        let endpoint = wanted.endpoint.as_deref().unwrap_or(usual);
        let settings = ApnsSettings {
            endpoint: endpoint.parse::<Origin>().map_err(permanent)?,
            trust: wanted.trust.clone(),
            topic: wanted.topic.clone().or_else(|| text("topic")),
            auth,
            connections: Options::default(),
        };
        ApnsAccount::new(settings).map_err(permanent)
    }

    async fn make_fcm(&self, wanted: &FcmWanted) -> Result<FcmAccount> {
        if !wanted.enabled {
            return Err(Error::permanent(
                "com.openxchange.mobilepush.events.gcm.enabled is false",
            ));
        }
        let original = wanted.original_key.as_ref();
        let file = match (
            &wanted.service_account,
            original.and_then(Secret::expose_str),
        ) {
            (Some(path), _) => read(path).await?,
            // A service account itself, or the path of its file; anything else is a server key.
            (None, Some(key)) if key.trim_start().starts_with('{') => Secret::from(key),
            (None, Some(key)) if key.contains('/') => read(key.as_ref()).await?,
            (None, Some(key)) => Secret::from(key),
            (None, None) => {
                let offered = self
                    .offered(
                        FCM,
                        "no service account (belfry.mobile-push.fcm.service-account) is set",
                    )
                    .await?;
                let account = offered.fields.get("service-account").cloned();
                account
                    .ok_or_else(|| Error::permanent("the credential holds no service-account"))?
            }
        };
        let endpoint = wanted.endpoint.as_deref().unwrap_or(fcm::ENDPOINT);
        let settings = FcmSettings {
            account: ServiceAccount::parse(&file).map_err(permanent)?,
            endpoint: endpoint.parse::<Origin>().map_err(permanent)?,
            trust: wanted.trust.clone(),
            connections: Options::default(),
            clock: self.clock.clone(),
        };
        FcmAccount::new(settings).map_err(permanent)
    }

    /// What a credential backend offers.
    async fn offered(&self, provider: &str, otherwise: &str) -> Result<ProviderCredential> {
        let offered = self.host.provider_credential(provider).await?;
        offered.ok_or_else(|| {
            Error::permanent(format_args!(
                "{otherwise}, and no credential backend offers one"
            ))
        })
    }

    fn read(&self) -> Current {
        // Changes replace whole fields; a panic leaves them whole.
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn write(&self, change: impl FnOnce(&mut Current)) {
        change(&mut self.current.write().unwrap_or_else(PoisonError::into_inner));
    }
}

async fn from_files(wanted: &ApnsWanted) -> Result<ProviderCredential> {
    let mut credential = ProviderCredential::default();
    let mut put = |name: &str, value: Secret| credential.fields.insert(name.to_owned(), value);
    if let Some(keystore) = &wanted.keystore {
        put("keystore", read(keystore).await?);
        put("password", wanted.password.clone().unwrap_or_default());
    } else if let Some(key) = &wanted.key {
        put("key", read(key).await?);
        for (name, value) in [("key-id", &wanted.key_id), ("team-id", &wanted.team_id)] {
            if let Some(value) = value {
                put(name, value.as_str().into());
            }
        }
    }
    Ok(credential)
}

async fn read(path: &std::path::Path) -> Result<Secret> {
    let bytes = tokio::fs::read(path).await;
    let bytes = bytes.map_err(|error| Error::from(error).context(path.display()))?;
    Ok(Secret::new(bytes))
}

fn permanent(error: impl std::error::Error) -> Error {
    Error::permanent(Error::from(error))
}

fn report(provider: &str, enabled: bool, error: Option<&Error>) {
    match error {
        None => tracing::info!(provider, "the account is set up"),
        Some(error) if enabled => {
            tracing::error!(provider, %error, "there is no account; deliveries wait until there is one");
        }
        Some(_) => tracing::info!(provider, "the provider is not enabled"),
    }
}
