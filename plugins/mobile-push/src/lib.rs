//! The transport to Apple's and Google's push services.
#![forbid(unsafe_code)]

pub mod apns;
pub mod backoff;
pub mod clock;
pub mod fcm;
mod gate;
pub mod http2;
pub mod jwt;
pub mod keystore;
pub mod outcome;
pub mod render;
