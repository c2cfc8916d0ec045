//! The faults in force at one double.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fault::{Effect, Fault, FaultTarget};

/// Names one fault of a double.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(u64);

/// The faults of one double; the first that applies to a request wins, in the order they were added.
#[derive(Debug, Default)]
pub struct Faults {
    /// Spares requests the lock while there is nothing to look up.
    any: AtomicBool,
    next: AtomicU64,
    rules: Mutex<Vec<Rule>>,
}

#[derive(Debug)]
struct Rule {
    id: FaultId,
    fault: Fault,
    struck: u64,
}

/// What one request runs into.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    /// Happens to the request itself.
    pub(crate) request: Option<Effect>,
    /// Happens to its connection.
    pub(crate) connection: Option<Effect>,
}

impl Faults {
    /// Puts a fault in force.
    pub fn add(&self, fault: Fault) -> FaultId {
        let id = FaultId(self.next.fetch_add(1, Ordering::Relaxed));
        let mut rules = self.lock();
        rules.push(Rule {
            id,
            fault,
            struck: 0,
        });
        self.any.store(true, Ordering::Release);
        id
    }

    /// Puts several in force.
    pub fn add_all(&self, faults: impl IntoIterator<Item = Fault>) -> Vec<FaultId> {
        faults.into_iter().map(|fault| self.add(fault)).collect()
    }

    /// Takes one out of force.
    pub fn remove(&self, id: FaultId) {
        let mut rules = self.lock();
        rules.retain(|rule| rule.id != id);
        self.any.store(!rules.is_empty(), Ordering::Release);
    }

    /// Takes all out of force.
    pub fn clear(&self) {
        let mut rules = self.lock();
        rules.clear();
        self.any.store(false, Ordering::Release);
    }

    /// How often a fault struck; 0 when it was removed.
    pub fn struck(&self, id: FaultId) -> u64 {
        self.lock()
            .iter()
            .find(|rule| rule.id == id)
            .map_or(0, |rule| rule.struck)
    }

    /// What the `nth` request of a connection, a push to `token`, runs into. One that the provider
    /// refuses by its own rules only counts for its connection.
    pub(crate) fn strike(&self, nth: u64, token: &str, is_in_order: bool) -> Struck {
        let mut struck = Struck::default();
        if !self.any.load(Ordering::Acquire) {
            return struck;
        }
        for rule in self.lock().iter_mut().filter(|rule| rule.is_for(token)) {
            match rule.fault.effect.every() {
                Some(every) if struck.connection.is_none() && nth.is_multiple_of(every) => {
                    struck.connection = rule.strike();
                }
                None if is_in_order
                    && struck.request.is_none()
                    && rule.fault.effect != Effect::RefuseConnections =>
                {
                    struck.request = rule.strike();
                }
                _ => {}
            }
        }
        struck
    }

    /// What a request for an access token runs into.
    pub(crate) fn strike_token_endpoint(&self) -> Option<Effect> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.lock()
            .iter_mut()
            .filter(|rule| rule.fault.target == FaultTarget::TokenEndpoint)
            .find_map(Rule::strike)
    }

    /// Whether a connection that was just made is to be refused.
    pub(crate) fn strike_new_connection(&self) -> bool {
        self.any.load(Ordering::Acquire)
            && self
                .lock()
                .iter_mut()
                .filter(|rule| rule.fault.effect == Effect::RefuseConnections)
                .any(|rule| rule.strike().is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rule {
    fn is_for(&self, token: &str) -> bool {
        match &self.fault.target {
            FaultTarget::AllPushes => true,
            FaultTarget::Device(device) => device.eq_ignore_ascii_case(token),
            FaultTarget::TokenEndpoint => false,
        }
    }

    fn strike(&mut self) -> Option<Effect> {
        if self.fault.times.is_some_and(|times| self.struck >= times) {
            return None;
        }
        if self
            .fault
            .chance
            .as_mut()
            .is_some_and(|chance| !chance.draw())
        {
            return None;
        }
        self.struck += 1;
        Some(self.fault.effect.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusals(faults: &Faults, requests: u64) -> u64 {
        (1..=requests)
            .filter(|nth| faults.strike(*nth, "a", true).request.is_some())
            .map(|_| 1)
            .sum()
    }

    #[test]
    fn a_fault_with_a_limit_strikes_that_often() {
        let faults = Faults::default();
        let id = faults.add(Fault::answer(503, "ServiceUnavailable").times(3));
        assert_eq!(refusals(&faults, 10), 3);
        assert_eq!(faults.struck(id), 3);
    }

    #[test]
    fn a_fault_for_one_device_leaves_the_others_alone() {
        let faults = Faults::default();
        faults.add(Fault::answer(410, "Unregistered").for_device("AB"));
        assert!(faults.strike(1, "ab", true).request.is_some());
        assert!(faults.strike(2, "ac", true).request.is_none());
    }

    #[test]
    fn a_share_is_drawn_from_its_seed() {
        let drawn = |seed| {
            let faults = Faults::default();
            faults.add(Fault::new(Effect::RefuseStream).per_mille(100, seed));
            (1..=1000)
                .filter(|nth| faults.strike(*nth, "a", true).request.is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert!((50..150).contains(&drawn(7).len()));
    }

    #[test]
    fn a_connection_fault_counts_requests_and_does_not_hide_an_answer() {
        let faults = Faults::default();
        faults.add(Fault::new(Effect::GoAway { every: 3 }));
        faults.add(Fault::answer(500, "InternalServerError"));
        let hit: Vec<u64> = (1..=7)
            .filter(|nth| faults.strike(*nth, "a", true).connection.is_some())
            .collect();
        assert_eq!(hit, [3, 6]);
        assert!(faults.strike(3, "a", true).request.is_some());
    }

    #[test]
    fn a_request_out_of_order_uses_no_fault_up() {
        let faults = Faults::default();
        faults.add(Fault::answer(500, "InternalServerError").times(1));
        assert!(faults.strike(1, "a", false).request.is_none());
        assert!(faults.strike(2, "a", true).request.is_some());
    }

    #[test]
    fn what_is_removed_no_longer_strikes() {
        let faults = Faults::default();
        let gone = faults.add(Fault::answer(500, "InternalServerError"));
        faults.add(Fault::answer(503, "ServiceUnavailable"));
        faults.remove(gone);
        let Some(Effect::Answer(answer)) = faults.strike(1, "a", true).request else {
            panic!("the second fault is in force");
        };
        assert_eq!(answer.status, 503);
        faults.clear();
        assert_eq!(refusals(&faults, 1), 0);
    }
}
