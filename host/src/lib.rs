//! The Belfry host as a library.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod children;
mod clock;
pub mod config;
pub mod ctl;
pub mod delivery;
pub mod events;
pub mod http;
pub mod log;
pub mod metrics;
pub mod node;
pub mod push;
pub mod storage;
