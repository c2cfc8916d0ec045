use std::path::PathBuf;

use belfry_imap::ImapEndpoint;
use belfry_plugin_api::{Config, Error, Result};

const METADATA: &str = "belfry.push-dovecot.metadata";
const URL: &str = "belfry.imap.url";
const CA: &str = "belfry.imap.ca";

/// What the operator wants.
pub(crate) struct Settings {
    /// The mail store.
    pub(crate) endpoint: ImapEndpoint,
    /// Whether only the master user may set metadata.
    pub(crate) master_only: bool,
}

impl Settings {
    pub(crate) async fn read(config: &Config) -> Result<Self> {
        let master_only = match config.text(METADATA) {
            None | Some("session") => false,
            Some("master") => true,
            Some(other) => {
                return Err(Error::permanent(format_args!(
                    "{METADATA} = {other:?} cannot be used: write session or master"
                )));
            }
        };
        let url = config
            .text(URL)
            .ok_or_else(|| Error::permanent(format_args!("{URL} is not set")))?
            .to_owned();
        let ca = config.text(CA).map(PathBuf::from);
        // It reads the certificates of the system.
        let endpoint =
            tokio::task::spawn_blocking(move || ImapEndpoint::parse(&url, ca.as_deref())).await?;
        Ok(Self {
            endpoint: endpoint.map_err(|error| Error::from(error).context(URL))?,
            master_only,
        })
    }
}
