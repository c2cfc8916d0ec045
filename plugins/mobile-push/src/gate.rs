//! Keeps an account from asking again what it was just told.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::{Outcome, Scope};

/// Open, or shut until a time. It shuts when a provider refuses the credential or asks the whole
/// account to wait; while it is shut, pushes get that outcome without being sent.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Option<(Instant, Outcome)>>);

impl Gate {
    /// The outcome of a push that need not be sent.
    pub(crate) fn check(&self) -> Option<Outcome> {
        let mut shut = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, outcome) = shut.as_ref()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            *shut = None;
            return None;
        }
        Some(remaining(outcome.clone(), left))
    }

    /// Learns from an outcome that a provider's answer led to.
    pub(crate) fn learn(&self, outcome: &Outcome) {
        let after = match outcome {
            Outcome::CredentialRefused { after, .. }
            | Outcome::RetryLater {
                after,
                scope: Scope::Account,
                ..
            } => *after,
            _ => return,
        };
        let until = Instant::now() + after;
        let mut shut = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shut.as_ref().is_none_or(|(known, _)| *known < until) {
            *shut = Some((until, outcome.clone()));
        }
    }
}

fn remaining(mut outcome: Outcome, left: Duration) -> Outcome {
    if let Outcome::CredentialRefused { after, .. } | Outcome::RetryLater { after, .. } =
        &mut outcome
    {
        *after = left;
    }
    if let Outcome::RetryLater {
        possibly_delivered, ..
    } = &mut outcome
    {
        *possibly_delivered = false;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(scope: Scope, seconds: u64) -> Outcome {
        Outcome::RetryLater {
            after: Duration::from_secs(seconds),
            scope,
            reason: "busy".to_owned(),
            possibly_delivered: true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_gate_is_shut_for_as_long_as_the_account_was_told_to_wait() {
        let gate = Gate::default();
        gate.learn(&later(Scope::Account, 10));
        gate.learn(&later(Scope::Account, 2));
        tokio::time::advance(Duration::from_secs(4)).await;
        match gate.check() {
            Some(Outcome::RetryLater {
                after,
                possibly_delivered,
                ..
            }) => {
                assert_eq!(after, Duration::from_secs(6));
                assert!(!possibly_delivered);
            }
            other => panic!("{other:?}"),
        }
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(gate.check(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_of_one_token_stops_nobody_else() {
        let gate = Gate::default();
        gate.learn(&later(Scope::Token, 10));
        gate.learn(&Outcome::Delivered);
        assert_eq!(gate.check(), None);
    }
}
