//! What waits in inbox and outbox, and what was given up on.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use axum::Json;
use axum::extract::{Query, State as Given};
use serde::{Deserialize, Serialize};

use super::input::{Body, Head};
use super::refusal::Refusal;
use super::{Admin, to_the_end};
use crate::delivery::queue::{EntryKind, Filter, Listed, Side, State};

/// Rows of a page unless the client asks for another number.
const PAGE_ROWS: u32 = 100;

/// Rows of the largest page.
const MAX_PAGE_ROWS: u32 = 10_000;

const BOTH: [Side; 2] = [Side::Inbox, Side::Outbox];

/// What an operator calls one row: `outbox:17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// Which half of the queue.
    pub side: Side,
    /// The row there.
    pub id: i64,
}

/// What was given is no reference to a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no delivery: it is inbox:ID or outbox:ID, as `belfryctl delivery list` shows it"
)]
pub struct ParseReferenceError(String);

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (side, id) = text.split_once(':')?;
            Some(Self {
                side: side.parse().ok()?,
                id: id.parse().ok()?,
            })
        };
        parse().ok_or_else(|| ParseReferenceError(text.to_owned()))
    }
}

impl TryFrom<String> for Reference {
    type Error = ParseReferenceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.side, self.id)
    }
}

/// A page of what waits or was given up on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryList {
    /// By side and id.
    pub deliveries: Vec<DeliveryInfo>,
    /// For each side that may have more: after which id they follow.
    pub next: BTreeMap<Side, i64>,
}

/// An entry of the inbox or a delivery of the outbox, without its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryInfo {
    /// What to call it.
    pub reference: Reference,
    /// The plugin or the transport that it is for.
    pub destination: String,
    /// Waiting or dead.
    pub state: State,
    /// Inbox: what it carries.
    pub kind: Option<EntryKind>,
    /// Outbox: the user's number.
    pub user: Option<i64>,
    /// Outbox: the user's context.
    pub context: Option<i64>,
    /// Outbox: the subscription that it goes to.
    pub subscription: Option<i64>,
    /// When it came, in milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Not to be tried before, in milliseconds since the Unix epoch; 0 for any time.
    pub not_before_ms: i64,
    /// Outbox: when it loses its worth, in milliseconds since the Unix epoch.
    pub expires_ms: Option<i64>,
    /// How often it has failed.
    pub attempts: u32,
    /// Why it failed last.
    pub reason: Option<String>,
    /// The size of its contents in bytes.
    pub bytes: i64,
}

impl From<Listed> for DeliveryInfo {
    fn from(listed: Listed) -> Self {
        Self {
            reference: Reference {
                side: listed.side,
                id: listed.id,
            },
            destination: listed.destination,
            state: listed.state,
            kind: listed.kind,
            user: listed.device.map(|device| device.user_id),
            context: listed.device.map(|device| device.user_context),
            subscription: listed.device.map(|device| device.subscription),
            created_ms: listed.created_at,
            not_before_ms: listed.not_before,
            expires_ms: listed.device.map(|device| device.expires_at),
            attempts: listed.attempts,
            reason: listed.reason,
            bytes: listed.bytes,
        }
    }
}

/// Which rows are meant: those to which all that is set applies, and of those that are named only
/// they. Nothing set means nothing, unless `all` says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// These rows.
    pub references: Vec<Reference>,
    /// Rows of this half.
    pub side: Option<Side>,
    /// Rows for this plugin or transport.
    pub destination: Option<String>,
    /// Rows in this state.
    pub state: Option<State>,
    /// Rows that came before this time, in milliseconds since the Unix epoch.
    pub created_before_ms: Option<i64>,
    /// Everything that the other parts leave.
    pub all: bool,
}

impl Selection {
    fn filters(&self) -> Result<Vec<Filter>, Refusal> {
        let is_restricted = self.side.is_some()
            || self.destination.is_some()
            || self.state.is_some()
            || self.created_before_ms.is_some();
        if self.references.is_empty() && !is_restricted && !self.all {
            return Err(Refusal::malformed(
                "nothing says which deliveries are meant; name them, or set all",
            ));
        }
        let sides = BOTH
            .into_iter()
            .filter(|side| self.side.is_none_or(|wanted| wanted == *side));
        let filters = sides.filter_map(|side| {
            let named = || {
                self.references
                    .iter()
                    .filter(|reference| reference.side == side)
            };
            let ids: Vec<_> = named().map(|reference| reference.id).collect();
            (self.references.is_empty() || !ids.is_empty()).then(|| Filter {
                side,
                destination: self.destination.clone(),
                state: self.state,
                ids: (!ids.is_empty()).then_some(ids),
                created_before: self.created_before_ms,
            })
        });
        Ok(filters.collect())
    }
}

/// How many rows something was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// So many.
    pub count: usize,
}

/// Which page.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    side: Option<Side>,
    destination: Option<String>,
    state: Option<State>,
    after: Option<i64>,
    limit: Option<u32>,
}

pub(super) async fn list(
    Given(Admin { node, .. }): Given<Admin>,
    Head(Query(page)): Head<Query<Page>>,
) -> Result<Json<DeliveryList>, Refusal> {
    if page.after.is_some() && page.side.is_none() {
        return Err(Refusal::malformed(
            "ids count on each side by itself; say which side the page is of",
        ));
    }
    let limit = page.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);
    let mut list = DeliveryList {
        deliveries: Vec::new(),
        next: BTreeMap::new(),
    };
    for side in BOTH
        .into_iter()
        .filter(|side| page.side.is_none_or(|wanted| wanted == *side))
    {
        let filter = Filter {
            destination: page.destination.clone(),
            state: page.state,
            ..Filter::all(side)
        };
        let rows = node
            .delivery()
            .queue()
            .list(filter, page.after.unwrap_or(0), limit)
            .await?;
        if rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX)
            && let Some(last) = rows.last()
        {
            list.next.insert(side, last.id);
        }
        list.deliveries
            .extend(rows.into_iter().map(DeliveryInfo::from));
    }
    Ok(Json(list))
}

pub(super) async fn retry(
    Given(Admin { node, .. }): Given<Admin>,
    Body(selection): Body<Selection>,
) -> Result<Json<Affected>, Refusal> {
    let filters = selection.filters()?;
    to_the_end(async move {
        let mut count = 0;
        for filter in filters {
            count += node.delivery().retry(filter).await?;
        }
        tracing::info!(count, "the operator has dead deliveries tried again");
        Ok(Json(Affected { count }))
    })
    .await
}

pub(super) async fn purge(
    Given(Admin { node, .. }): Given<Admin>,
    Body(selection): Body<Selection>,
) -> Result<Json<Affected>, Refusal> {
    let filters = selection.filters()?;
    to_the_end(async move {
        let mut count = 0;
        for filter in filters {
            count += node.delivery().purge(filter).await?;
        }
        tracing::info!(count, "the operator purged deliveries");
        Ok(Json(Affected { count }))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_named_by_its_side_and_id() {
        let reference: Reference = "outbox:17".parse().unwrap();
        assert_eq!(
            reference,
            Reference {
                side: Side::Outbox,
                id: 17
            }
        );
        assert_eq!(reference.to_string(), "outbox:17");
        for text in [
            "", "17", "outbox", "outbox:", "outbox:x", "Outbox:1", "dead:1",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_selection_of_nothing_is_refused_and_means_nothing() {
        assert!(Selection::default().filters().is_err());
    }

    #[test]
    fn named_rows_concern_their_own_side_only() {
        let selection = Selection {
            references: vec!["outbox:1".parse().unwrap(), "outbox:2".parse().unwrap()],
            ..Selection::default()
        };
        let filters = selection.filters().unwrap();
        assert_eq!(filters.len(), 1);
        assert_eq!(filters[0].side, Side::Outbox);
        assert_eq!(filters[0].ids, Some(vec![1, 2]));
    }

    #[test]
    fn a_selection_by_state_concerns_both_sides() {
        let selection = Selection {
            state: Some(State::Dead),
            ..Selection::default()
        };
        let filters = selection.filters().unwrap();
        let sides: Vec<_> = filters.iter().map(|filter| filter.side).collect();
        assert_eq!(sides, BOTH);
        assert!(
            filters
                .iter()
                .all(|filter| filter.ids.is_none() && filter.state == Some(State::Dead))
        );
    }
}
