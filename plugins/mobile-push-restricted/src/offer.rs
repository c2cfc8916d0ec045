//! What the folder has for each provider.

use std::fmt;
use std::sync::Arc;

use belfry_plugin_api::frame::ProviderCredential;
use belfry_plugin_api::secret::Secret;

use crate::certificate::End;
use crate::contents::{Contents, NamesState};
use crate::names::NAMES_FILE;
use crate::{apns, fcm};

/// The push providers that can be logged in to with what the folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Provider {
    Apns,
    Fcm,
}

impl Provider {
    pub(crate) const ALL: [Self; 2] = [Self::Apns, Self::Fcm];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Apns => "apns",
            Self::Fcm => "fcm",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A credential that was checked.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) credential: ProviderCredential,
    /// What it is, for the operator: without any secret.
    pub(crate) what: String,
    /// Until when it is valid, where it is a certificate.
    pub(crate) end: Option<End>,
}

/// What was found for a provider.
#[derive(Debug, Clone)]
pub(crate) enum Finding {
    /// Nothing is meant to be offered; says why.
    Absent(String),
    /// Something is, but it cannot be used; says why.
    Broken(String),
    Good(Arc<Offer>),
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            Some(end) => write!(f, "{}, valid until {}", self.what, end.date),
            None => f.write_str(&self.what),
        }
    }
}

/// The fields of a credential that have a value.
pub(crate) fn credential<const N: usize>(
    fields: [(&str, Option<Secret>); N],
) -> ProviderCredential {
    let fields = fields.into_iter();
    ProviderCredential {
        fields: fields
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect(),
    }
}

/// Checks what was read for a provider. Opening a keystore takes a noticeable time.
pub(crate) fn find(contents: &Contents, provider: Provider) -> Finding {
    let names = match &contents.names {
        NamesState::Missing(what) => return Finding::Absent(what.clone()),
        NamesState::Broken(why) => return Finding::Broken(why.clone()),
        NamesState::Read { names, .. } => names,
    };
    let offer = match provider {
        Provider::Apns => names.apns.as_ref().map(|named| {
            let named = named.as_ref()?;
            Some(apns::offer(contents, named))
        }),
        Provider::Fcm => names.service_account.as_ref().map(|named| {
            let named = named.as_ref()?;
            Some(fcm::offer(contents, named))
        }),
    };
    let folder = contents.folder.display();
    match offer {
        Ok(Some(Ok(offer))) => Finding::Good(Arc::new(offer)),
        Ok(Some(Err(why))) => Finding::Broken(why),
        Ok(None) => Finding::Absent(format!("{NAMES_FILE} in {folder} names none")),
        Err(why) => Finding::Broken(format!("in {folder}, {why}")),
    }
}
