//! New mail that Dovecot reports by its http-notify driver.

#![forbid(unsafe_code)]

pub mod metadata;
pub mod text;
