//! The durable queue below inbox and outbox.
//!
//! One SQLite file, one thread that writes it. Callers hand jobs to the thread through a bounded
//! channel; the thread takes everything that is waiting, runs it in one transaction, commits, and
//! only then answers. Under load many callers so share one flush to disk (group commit), and a
//! lone caller never waits for others.
//!
//! # What lives here
//!
//! An **inbox entry** is a report from a mail server or an event for a plugin. It is *waiting*
//! from [`Queue::accept`] on, until [`Queue::complete`] closes it (it is then gone) or
//! [`Queue::fail_inbox`] gives it another time or declares it *dead*. A dead entry stays for the
//! operator, who retries it (waiting again) or purges it.
//!
//! A **delivery** is one message for one device. It is *waiting* from the `complete` that fanned
//! it out, until [`Queue::finish`] reports its end (gone), another time, or its death. A delivery
//! past its expiry, or of a device that unsubscribed, is gone whatever its state.
//!
//! **Seen keys** are the window in which a message that is reported again is recognised. A key
//! is recorded by the transaction that creates the message's deliveries, so that it is seen
//! exactly when they exist.
//!
//! # What survives what
//!
//! Every answered job survives the death of the process. With [`Durability::Power`] an answered
//! `accept` survives the death of the machine too: SQLite flushes the write-ahead log at each
//! commit under `PRAGMA synchronous=FULL` and not under `NORMAL`
//! (<https://www.sqlite.org/pragma.html#pragma_synchronous>), and the setting may change between
//! transactions. The log is written in order, so a flushed commit carries all earlier ones; what
//! a power loss can take is a run of later jobs, none of them an `accept`. Their repetition is
//! harmless: a closed entry is handled again and its seen keys are unknown again with it, a
//! finished delivery is sent again.
//!
//! Ids may be given again after such a loss: nothing that leaves the machine may be derived from
//! an id, [`Delivery::message_key`] is there for that.
//!
//! # When the disk is full
//!
//! `accept` is refused at once with [`QueueError::DiskFull`]; everything else goes on, so that
//! the queue empties. Within a second or so of there being room again, `accept` works again.

mod complete;
mod error;
mod file;
mod filter;
mod handle;
mod inbox;
mod job;
mod listing;
mod model;
mod options;
mod outbox;
mod payload;
mod reserve;
mod schema;
mod stats;
#[cfg(test)]
mod tests;
mod upkeep;
mod writer;

pub use complete::{CompleteInbox, Completed, Fanout, MessageOutcome, NewDelivery, NewInboxEvent};
pub use error::QueueError;
pub use filter::{Filter, Side};
pub use handle::Queue;
pub use inbox::{Accepted, InboxFailure, InboxPage};
pub use listing::{Count, Listed, ListedDevice};
pub use model::{Delivery, EntryKind, InboxEntry, MessageKey, State};
pub use options::{Clock, Durability, Options, UnknownDurability};
pub use outbox::{Finish, Later, OutboxPage};
pub use payload::Payload;
pub use stats::Stats;
