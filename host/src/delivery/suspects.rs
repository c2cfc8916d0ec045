//! What was in a plugin's hands when it died.

use std::collections::VecDeque;

/// Deaths with one thing alone in hand, after which that thing is to blame.
const DEATHS_ALONE: u32 = 5;

/// Things that may have killed a plugin, in their order.
///
/// Each is handed out again alone, before anything else: if the plugin dies again, it is known of
/// what. So one thing that kills a plugin every time costs it some restarts, and then lies aside
/// for the operator, while all others are dealt with.
#[derive(Debug)]
pub(super) struct Suspects<T> {
    waiting: VecDeque<(T, u32)>,
}

impl<T> Default for Suspects<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
        }
    }
}

impl<T> Suspects<T> {
    /// A plugin died with these in hand, each with how often it was alone in hand at a death.
    /// Returns the one that is to blame, where there is one.
    pub(super) fn died_with(&mut self, in_hand: Vec<(T, u32)>) -> Option<T> {
        let is_alone = in_hand.len() == 1;
        for (item, deaths) in in_hand.into_iter().rev() {
            let deaths = deaths + u32::from(is_alone);
            if deaths >= DEATHS_ALONE {
                return Some(item);
            }
            self.waiting.push_front((item, deaths));
        }
        None
    }

    /// The next one to be handed out, alone, with its deaths.
    pub(super) fn pop(&mut self) -> Option<(T, u32)> {
        self.waiting.pop_front()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// All of them, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|(item, _)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_kills_is_found_among_those_that_were_in_hand() {
        let mut suspects = Suspects::default();
        let mut in_hand: Vec<_> = (1..=5).map(|item| (item, 0)).collect();
        let mut dealt_with = Vec::new();
        let mut deaths = 0;
        let blamed = loop {
            deaths += 1;
            if let Some(blamed) = suspects.died_with(std::mem::take(&mut in_hand)) {
                break blamed;
            }
            // Item 3 kills whoever has it in hand.
            while let Some((item, before)) = suspects.pop() {
                if item == 3 {
                    in_hand.push((item, before));
                    break;
                }
                dealt_with.push(item);
            }
        };
        assert_eq!(blamed, 3);
        assert_eq!(deaths, 6);
        while let Some((item, _)) = suspects.pop() {
            dealt_with.push(item);
        }
        assert_eq!(dealt_with, [1, 2, 4, 5]);
    }
}
