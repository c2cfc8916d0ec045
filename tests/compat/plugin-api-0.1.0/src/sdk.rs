//! What makes a plugin a few lines of async Rust.

mod config;
mod host;
mod lanes;
mod log;
mod outbound;
mod panic;
mod run;
mod services;
mod threads;
mod traits;

pub use config::Config;
pub use host::Host;
pub(crate) use run::run;
pub use services::Services;
pub use traits::{CredentialBackend, EventHandler, HttpRoutes, Listener, Plugin, Transport};
