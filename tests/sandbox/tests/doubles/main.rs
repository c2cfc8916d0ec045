//! The doubles as a client meets them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that cannot go on fails its test"
)]
#![forbid(unsafe_code)]

mod apns_credentials;
mod apns_rules;
mod connection_faults;
mod fault_specs;
mod faults;
mod fcm_rules;
mod fcm_tokens;
mod program;
mod record;
mod support;
