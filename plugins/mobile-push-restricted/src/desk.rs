//! What is in force, and the answers to the host's questions about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use belfry_plugin_api::frame::ProviderCredential;
use belfry_plugin_api::{Error, Result};

use crate::offer::{Finding, Offer, Provider};

/// For each provider: the credential in force, and what is wrong with the folder at the moment.
///
/// What is good comes into force at once. What is broken or gone is only believed when it is
/// certain, since files are replaced one after the other; and what is broken then still leaves the
/// credential from before in force, while what is gone withdraws it.
#[derive(Default)]
pub(crate) struct Desk {
    states: Mutex<BTreeMap<Provider, State>>,
}

#[derive(Default)]
struct State {
    offer: Option<Arc<Offer>>,
    trouble: Option<String>,
}

/// What a finding led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The credential is the same, or there is still none.
    None,
    /// Another credential is in force, or none any more.
    Changed,
    /// Nothing yet: it has to be found again later.
    Doubtful,
}

impl Desk {
    /// Takes up what was found.
    pub(crate) fn take(&self, provider: Provider, finding: &Finding, certain: bool) -> Effect {
        let mut states = self.lock();
        let state = states.entry(provider).or_default();
        match finding {
            Finding::Good(offer) => {
                state.trouble = None;
                let same = |old: &Arc<Offer>| old.credential == offer.credential;
                let changed = !state.offer.as_ref().is_some_and(same);
                // Also where only a path is another one, which notices name.
                state.offer = Some(offer.clone());
                if changed {
                    Effect::Changed
                } else {
                    Effect::None
                }
            }
            Finding::Broken(why) if certain || state.trouble.as_ref() == Some(why) => {
                state.trouble = Some(why.clone());
                Effect::None
            }
            Finding::Absent(_) if certain || state.offer.is_none() => {
                state.trouble = None;
                match state.offer.take() {
                    Some(_) => Effect::Changed,
                    None => Effect::None,
                }
            }
            Finding::Broken(_) | Finding::Absent(_) => Effect::Doubtful,
        }
    }

    /// The credential in force.
    pub(crate) fn offer(&self, provider: Provider) -> Option<Arc<Offer>> {
        self.lock().get(&provider)?.offer.clone()
    }

    /// Answers the host: `None` where nothing is meant to be offered.
    ///
    /// # Errors
    ///
    /// Something is, but it was never found in a state that could be used.
    pub(crate) fn answer(&self, provider: Provider) -> Result<Option<ProviderCredential>> {
        match self.lock().get(&provider) {
            Some(State {
                offer: Some(offer), ..
            }) => Ok(Some(offer.credential.clone())),
            Some(State {
                trouble: Some(why), ..
            }) => Err(Error::temporary(why)),
            _ => Ok(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Provider, State>> {
        // Every change is an assignment, which cannot leave a state half-changed.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offer::credential;

    fn good(key: &str) -> Finding {
        Finding::Good(Arc::new(Offer {
            credential: credential([("key", Some(key.into()))]),
            what: key.to_owned(),
            end: None,
        }))
    }

    fn broken() -> Finding {
        Finding::Broken("it is cut off".into())
    }

    fn absent() -> Finding {
        Finding::Absent("nobody names it".into())
    }

    fn answer(desk: &Desk) -> String {
        match desk.answer(Provider::Apns) {
            Ok(Some(credential)) => credential.fields["key"].expose_str().unwrap().to_owned(),
            Ok(None) => "nothing".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_broken_leaves_the_credential_from_before_in_force() {
        let desk = Desk::default();
        let take = |finding, certain| desk.take(Provider::Apns, &finding, certain);
        assert_eq!(take(good("old"), true), Effect::Changed);
        assert_eq!(take(good("old"), true), Effect::None);
        assert_eq!(take(broken(), false), Effect::Doubtful);
        assert_eq!(take(broken(), true), Effect::None);
        assert_eq!(take(broken(), false), Effect::None, "it is known");
        assert_eq!(answer(&desk), "old");
        assert_eq!(take(good("new"), false), Effect::Changed);
        assert_eq!(answer(&desk), "new");
        assert_eq!(take(broken(), false), Effect::Doubtful, "it is news again");
    }

    #[test]
    fn what_is_gone_is_withdrawn_once_it_is_certain() {
        let desk = Desk::default();
        let take = |finding, certain| desk.take(Provider::Apns, &finding, certain);
        assert_eq!(take(absent(), false), Effect::None);
        assert_eq!(take(good("old"), false), Effect::Changed);
        assert_eq!(take(absent(), false), Effect::Doubtful);
        assert_eq!(answer(&desk), "old");
        assert_eq!(take(absent(), true), Effect::Changed);
        assert_eq!(answer(&desk), "nothing");
    }

    #[test]
    fn what_was_never_good_is_answered_with_its_fault() {
        let desk = Desk::default();
        desk.take(Provider::Apns, &broken(), true);
        assert_eq!(answer(&desk), "it is cut off");
        desk.take(Provider::Apns, &absent(), false);
        assert_eq!(answer(&desk), "nothing");
    }
}
