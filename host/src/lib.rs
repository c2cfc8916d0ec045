//! The Belfry host as a library.
#![forbid(unsafe_code)]

pub mod config;
pub mod delivery;
