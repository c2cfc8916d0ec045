//! A row's way from the disk to a dispatcher's hands.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Rows that are kept in memory for one dispatcher.
const IN_MEMORY: usize = 4096;

/// The rows of one dispatcher that wait, in the order of their ids: the first ones in memory, the
/// rest on disk.
///
/// A row comes in right after its commit, with its content, and is handed out without being read
/// back. When more come than memory may hold, they are left on disk, and are read in pages when
/// memory has drained. Commits are told of in nearly their order only, so a row may be told of
/// after a page has brought it; it is known by its id, then.
#[derive(Debug)]
pub(super) struct Feed<T> {
    waiting: BTreeMap<i64, T>,
    /// The lowest id that is on disk only.
    on_disk_from: Option<i64>,
    /// What the pages since the last overflow brought.
    covered: RangeInclusive<i64>,
}

impl<T> Feed<T> {
    /// A feed that knows of nothing in memory, and has everything that may be on disk.
    pub(super) fn from_disk() -> Self {
        Self {
            waiting: BTreeMap::new(),
            on_disk_from: Some(i64::MIN + 1),
            covered: RangeInclusive::new(1, 0),
        }
    }

    /// A row was committed.
    pub(super) fn committed(&mut self, id: i64, row: T) {
        if self.covered.contains(&id) {
            return;
        }
        match self.on_disk_from {
            Some(from) => self.on_disk_from = Some(from.min(id)),
            None if self.waiting.len() >= IN_MEMORY => self.on_disk_from = Some(id),
            None => {
                self.waiting.insert(id, row);
            }
        }
    }

    /// Puts a row back that was handed out.
    pub(super) fn put_back(&mut self, id: i64, row: T) {
        self.waiting.insert(id, row);
    }

    /// A row that was dead waits again. Where its part of the disk is still to be read, it comes
    /// from there.
    pub(super) fn revived(&mut self, id: i64, row: T) {
        if self.on_disk_from.is_none_or(|from| id < from) {
            self.waiting.insert(id, row);
        }
    }

    /// The first row.
    pub(super) fn pop(&mut self) -> Option<(i64, T)> {
        self.waiting.pop_first()
    }

    /// After which id to load the next page; `None` while there is no need to.
    pub(super) fn wants_page_after(&self) -> Option<i64> {
        self.on_disk_from
            .filter(|_| self.waiting.is_empty())
            .map(|from| from - 1)
    }

    /// A page came: the rows after `after`, and whether more follow behind `next`.
    pub(super) fn page(&mut self, after: i64, rows: Vec<(i64, T)>, next: Option<i64>) {
        let last = rows
            .last()
            .map(|(id, _)| *id)
            .into_iter()
            .chain(next)
            .max()
            .unwrap_or(after);
        let first = if self.covered.is_empty() || *self.covered.end() < after {
            after + 1
        } else {
            *self.covered.start()
        };
        self.covered = first..=last;
        self.on_disk_from = next.map(|next| next + 1);
        self.waiting.extend(rows);
    }

    /// Whether nothing waits, in memory or on disk.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.on_disk_from.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A disk with rows 1, 2, 3, …, of which each is told of once, in nearly their order.
    fn drain(feed: &mut Feed<()>, committed: i64, taken: &mut Vec<i64>, page_rows: usize) {
        while let Some(after) = feed.wants_page_after() {
            let rows: Vec<_> = (after.max(0) + 1..=committed)
                .take(page_rows)
                .map(|id| (id, ()))
                .collect();
            let next = rows.last().map(|(id, ())| *id).filter(|id| *id < committed);
            let is_end = rows.is_empty();
            feed.page(after, rows, next);
            while let Some((id, ())) = feed.pop() {
                taken.push(id);
            }
            if is_end {
                break;
            }
        }
        while let Some((id, ())) = feed.pop() {
            taken.push(id);
        }
    }

    proptest! {
        #[test]
        fn every_row_is_handed_out_once_and_in_order(
            bursts in prop::collection::vec(1_usize..9_000, 1..6),
            page_rows in 1_usize..3_000,
            late in 0_usize..40,
        ) {
            let mut feed = Feed::from_disk();
            let mut taken = Vec::new();
            let mut committed = 0;
            let mut told = 0;
            for burst in bursts {
                committed += i64::try_from(burst).unwrap();
                // The last rows are told of after the next page only.
                while told < committed - i64::try_from(late).unwrap() {
                    told += 1;
                    feed.committed(told, ());
                }
                drain(&mut feed, committed, &mut taken, page_rows);
            }
            while told < committed {
                told += 1;
                feed.committed(told, ());
            }
            drain(&mut feed, committed, &mut taken, page_rows);
            taken.sort_unstable();
            prop_assert_eq!(taken, (1..=committed).collect::<Vec<_>>());
        }
    }
}
