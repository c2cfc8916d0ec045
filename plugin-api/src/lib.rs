//! All that the author of a Belfry plugin needs.
pub mod error;
pub mod event;
pub mod mail;
pub mod secret;
pub mod user;
