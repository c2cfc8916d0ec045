//! The transport's accounts against strict doubles of the providers.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod accounts;
mod apns;
mod connections;
mod fcm;
mod road;
