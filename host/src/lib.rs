//! The Belfry host as a library.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod config;
pub mod delivery;
pub mod events;
pub mod metrics;
pub mod storage;
