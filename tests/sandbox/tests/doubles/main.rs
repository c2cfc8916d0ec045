//! The doubles as a client meets them.

mod apns_credentials;
mod apns_rules;
mod faults;
mod fcm_rules;
mod fcm_tokens;
mod program;
mod record;
mod support;
