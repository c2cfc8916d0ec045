//! The world that Belfry's scenarios play in.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of a test that fails, fails the test"
)]

pub mod app;
pub mod artifacts;
pub mod crowd;
pub mod dovecot;
pub mod host;
pub mod lmtp;
pub mod packages;
pub mod providers;
pub mod wait;
