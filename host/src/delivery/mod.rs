//! Inbox and outbox: mail that was accepted and is not yet delivered.
