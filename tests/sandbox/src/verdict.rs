//! From a provider's judgement and the faults in force to one reply and one line of the record.

use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime};

use h2::Reason;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::answer::Answer;
use crate::connection::{Action, End, Reply};
use crate::double::Double;
use crate::fault::{Effect, FaultAnswer};
use crate::record::{Outcome, Provider, Push};

/// What the provider's own rules say of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    Accept(Answer),
    Validate(Answer),
    Refuse {
        status: u16,
        reason: Cow<'static, str>,
        answer: Answer,
    },
}

/// A request to push, with what the record wants to know of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) provider: Provider,
    pub(crate) connection: u64,
    pub(crate) nth: u64,
    pub(crate) token: &'a str,
    pub(crate) apns_id: Option<&'a str>,
    pub(crate) collapse_id: Option<&'a str>,
    pub(crate) topic: Option<&'a str>,
    pub(crate) head: &'a Parts,
    pub(crate) body: &'a [u8],
}

impl Arrival<'_> {
    /// Applies the faults in force, writes the push down, and says how the request ends. `refuse` puts a
    /// fault's answer into the provider's words.
    pub(crate) fn conclude(
        self,
        double: &Double,
        verdict: Verdict,
        refuse: impl FnOnce(&FaultAnswer) -> Answer,
    ) -> Reply {
        double.check_left_alone(self.connection, self.token, Instant::now());
        let is_in_order = matches!(verdict, Verdict::Accept(_));
        let struck = double.faults().strike(self.nth, self.token, is_in_order);
        let (mut outcome, action) = match (verdict, struck.request) {
            (
                Verdict::Refuse {
                    status,
                    reason,
                    answer,
                },
                _,
            ) => (
                Outcome::Refused {
                    status,
                    reason: reason.into_owned(),
                },
                Action::Send(answer),
            ),
            (Verdict::Validate(answer), _) => (Outcome::Validated, Action::Send(answer)),
            (Verdict::Accept(answer), Some(effect)) => self.strike(double, answer, effect, refuse),
            (Verdict::Accept(answer), None) => (Outcome::Accepted, Action::Send(answer)),
        };
        let connection = match struck.connection {
            Some(Effect::GoAway { .. }) => Some(End::Graceful),
            Some(Effect::AbruptGoAway { .. }) => Some(End::Abrupt),
            Some(Effect::ResetConnection { .. }) => Some(End::Reset),
            _ => None,
        };
        if outcome == Outcome::Accepted && matches!(connection, Some(End::Abrupt | End::Reset)) {
            outcome = Outcome::AcceptedUnanswered;
        }
        double.record(outcome, |outcome| self.push(outcome));
        Reply {
            action,
            authenticated: true,
            connection,
        }
    }

    fn strike(
        &self,
        double: &Double,
        accepted: Answer,
        effect: Effect,
        refuse: impl FnOnce(&FaultAnswer) -> Answer,
    ) -> (Outcome, Action) {
        let taken_in = |delivered| {
            if delivered {
                Outcome::AcceptedUnanswered
            } else {
                Outcome::Dropped
            }
        };
        match effect {
            Effect::Answer(fault) => {
                let mut answer = refuse(&fault);
                if let Some(wait) = fault.retry_after {
                    double.leave_alone(self.token, wait);
                    answer = answer.with(RETRY_AFTER, retry_after(wait));
                }
                (
                    Outcome::Refused {
                        status: fault.status,
                        reason: fault.reason,
                    },
                    Action::Send(answer),
                )
            }
            Effect::Slow(delay) => (Outcome::Accepted, Action::SendLate(delay, accepted)),
            Effect::Hang { delivered } => (taken_in(delivered), Action::Silence),
            Effect::RefuseStream => (Outcome::Dropped, Action::Reset(Reason::REFUSED_STREAM)),
            Effect::ResetStream { delivered } => {
                (taken_in(delivered), Action::Reset(Reason::INTERNAL_ERROR))
            }
            Effect::GoAway { .. }
            | Effect::AbruptGoAway { .. }
            | Effect::ResetConnection { .. }
            | Effect::RefuseConnections => (Outcome::Accepted, Action::Send(accepted)),
        }
    }

    fn push(&self, outcome: Outcome) -> Push {
        Push {
            at: SystemTime::now(),
            instant: Instant::now(),
            provider: self.provider,
            connection: self.connection,
            token: self.token.to_owned(),
            apns_id: self.apns_id.map(str::to_owned),
            collapse_id: self.collapse_id.map(str::to_owned),
            topic: self.topic.map(str::to_owned),
            headers: without_credentials(&self.head.headers),
            payload: serde_json::from_slice(self.body).unwrap_or(Value::Null),
            outcome,
        }
    }
}

fn without_credentials(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(AUTHORIZATION);
    headers
}

/// Whole seconds (RFC 9110, section 10.2.3), rounded up: no sooner than was meant.
pub(crate) fn retry_after(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(seconds)
}
