//! All that the author of a Belfry plugin needs, and nothing of the host.
//!
//! # How host and plugin talk
//!
//! An artifact exports one [root module](boundary::PluginModule), whose `run` is called once, on a
//! thread of its own. It is given a [link](boundary::HostLink), over which both sides exchange
//! [frames](frame): the same artifact runs in a process of its own or inside the host's.
//!
//! # What the author can rely on
//!
//! - Requests and events of one user come one after the other, in their order.
//! - What was not answered comes again: after a crash, an update, a power cut. So a handler may
//!   see a thing twice; a [`Message`](frame::Message) is delivered once for each user and key.
//! - A panic is reported with its place and backtrace, and the plugin is started again.
//! - `tracing` events of the plugin's own modules reach the host's log, with the plugin's id.
#![deny(unsafe_code)]

pub mod boundary;
pub mod describe;
pub mod error;
pub mod event;
pub mod frame;
pub mod mail;
pub mod manifest;
pub mod sdk;
pub mod secret;
pub mod user;

pub use error::{Error, Result};
pub use sdk::{
    Config, CredentialBackend, EventHandler, Host, HttpRoutes, Listener, Plugin, Transport,
};

#[doc(hidden)]
pub mod __private {
    pub use abi_stable::library::LibHeader;
}
