//! What became of a push.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::backoff::{LONGEST_WAIT, exponential};
use crate::http2::{ConnectFault, Failure};

/// A provider that asks for more time than this is asked again all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The wait after a request that the provider did not process or may have processed.
const FIRST_WAIT_AFTER_LOSS: Duration = Duration::from_secs(1);

/// The wait after a request that the provider did not answer.
const FIRST_WAIT_AFTER_SILENCE: Duration = Duration::from_secs(10);

/// The pause of a credential that was refused, before one push shows whether it is good again.
pub const CREDENTIAL_PAUSE: Duration = Duration::from_secs(300);

/// What became of a push, and so what must happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider has it.
    Delivered,
    /// The token will never work again.
    TokenDead {
        /// Milliseconds since 1970: delete the token only where it was subscribed before.
        since_ms: Option<u64>,
        /// The provider's word for it.
        reason: String,
    },
    /// The same push, with the same identifiers, later.
    RetryLater {
        /// Not before this time is over.
        after: Duration,
        /// What has to wait.
        scope: Scope,
        /// Why.
        reason: String,
        /// Whether the device may have got it all the same.
        possibly_delivered: bool,
    },
    /// The provider does not accept who we are: nothing of this account can be delivered until an
    /// operator acts. The deliveries are kept.
    CredentialRefused {
        /// The account's next push is tried after this time.
        after: Duration,
        /// What the provider said and what to do.
        reason: String,
    },
    /// The push itself is wrong and would be wrong again.
    Rejected {
        /// The provider's word for it.
        reason: String,
    },
}

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This one push.
    Token,
    /// All that goes to the account.
    Account,
}

impl Outcome {
    /// The outcome of a push that got no response. `attempt` counts the tries before this one.
    pub(crate) fn of_failure(failure: &Failure, attempt: u32) -> Self {
        let reason = failure.to_string();
        let (after, scope, possibly_delivered) = match failure {
            Failure::Unprocessed { .. } => (
                exponential(FIRST_WAIT_AFTER_LOSS, attempt),
                Scope::Token,
                false,
            ),
            Failure::Ambiguous { .. } => (
                exponential(FIRST_WAIT_AFTER_LOSS, attempt),
                Scope::Token,
                true,
            ),
            Failure::Timeout { .. } => (
                exponential(FIRST_WAIT_AFTER_SILENCE, attempt),
                Scope::Token,
                true,
            ),
            Failure::CannotConnect {
                fault: ConnectFault::RefusedByAlert { .. },
                retry_after,
            } => {
                let after = (*retry_after).max(CREDENTIAL_PAUSE);
                return Self::CredentialRefused { after, reason };
            }
            Failure::CannotConnect { retry_after, .. } => (*retry_after, Scope::Account, false),
        };
        Self::RetryLater {
            after,
            scope,
            reason,
            possibly_delivered,
        }
    }
}

/// How long a response asks to wait (RFC 9110, section 10.2.3), in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            date.duration_since(now).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// How long to wait where a provider's answer names a class of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Without a word from the provider, at least this, doubled with each try.
    pub(crate) first: Duration,
}

impl Wait {
    pub(crate) const fn seconds(first: u64) -> Self {
        Self {
            first: Duration::from_secs(first),
        }
    }

    /// The provider's word counts; a little is added by chance, so that not everything that was
    /// told the same comes back in the same moment.
    pub(crate) fn resolve(self, asked: Option<Duration>, attempt: u32) -> Duration {
        match asked {
            Some(asked) => asked + asked.min(LONGEST_WAIT).mul_f64(0.1 * rand::random::<f64>()),
            None => exponential(self.first, attempt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str, now: SystemTime) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(asked("2", epoch), Some(Duration::from_secs(2)));
        assert_eq!(
            asked("Thu, 01 Jan 1970 00:01:00 GMT", epoch),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            asked(
                "Thu, 01 Jan 1970 00:01:00 GMT",
                epoch + Duration::from_secs(90)
            ),
            Some(Duration::ZERO)
        );
        assert_eq!(asked("soon", epoch), None);
        assert_eq!(asked("-1", epoch), None);
        assert_eq!(asked("99999999999", epoch), Some(LONGEST_RETRY_AFTER));
        assert_eq!(retry_after(&HeaderMap::new(), epoch), None);
    }

    #[test]
    fn the_providers_word_is_never_undercut() {
        for _ in 0..100 {
            let asked = Duration::from_secs(2);
            let wait = Wait::seconds(60).resolve(Some(asked), 9);
            assert!(wait >= asked && wait < Duration::from_secs(3), "{wait:?}");
            assert!(Wait::seconds(60).resolve(None, 0) >= Duration::from_secs(60));
        }
    }

    #[test]
    fn only_what_the_provider_may_have_seen_is_possibly_delivered() {
        let reason = String::new;
        let fault = ConnectFault::Unreachable {
            origin: reason(),
            reason: reason(),
        };
        let after = Duration::from_secs(7);
        for (failure, expected, whole) in [
            (
                Failure::Unprocessed { reason: reason() },
                false,
                Scope::Token,
            ),
            (Failure::Ambiguous { reason: reason() }, true, Scope::Token),
            (Failure::Timeout { after }, true, Scope::Token),
            (
                Failure::CannotConnect {
                    fault,
                    retry_after: after,
                },
                false,
                Scope::Account,
            ),
        ] {
            match Outcome::of_failure(&failure, 0) {
                Outcome::RetryLater {
                    scope,
                    possibly_delivered,
                    ..
                } => assert_eq!((scope, possibly_delivered), (whole, expected), "{failure}"),
                other => panic!("{failure}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_refused_client_certificate_is_a_refused_credential() {
        let failure = Failure::CannotConnect {
            fault: ConnectFault::RefusedByAlert {
                origin: "https://api.push.apple.com:443".to_owned(),
                reason: "received fatal alert: CertificateRevoked".to_owned(),
            },
            retry_after: Duration::from_secs(1),
        };
        let outcome = Outcome::of_failure(&failure, 0);
        assert!(
            matches!(&outcome, Outcome::CredentialRefused { reason, .. } if reason.contains("CertificateRevoked")),
            "{outcome:?}"
        );
    }
}
