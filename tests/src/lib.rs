//! The world that Belfry's scenarios play in.

#![forbid(unsafe_code)]

pub mod dovecot;
pub mod lmtp;
pub mod packages;
