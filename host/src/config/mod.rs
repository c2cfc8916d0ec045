//! Configuration: one flat space of property names.
//!
//! [`Folder`] names the files, [`host_keys`] and plugins' manifests declare in a [`Registry`]
//! which keys are read and what they may be, and [`Config`] holds the [`Snapshot`] in force,
//! follows the files, and says what is wrong with them:
//!
//! ```text
//! *.properties ─ parse_properties ─┐
//! *.toml ─────── parse_toml ───────┴─ files ─┐
//! --set KEY=VALUE ───────────────────────────┴─ layers ─┐
//! host_keys, manifests ─────────────────────── Registry ┴─ Snapshot
//! ```
//!
//! Invariants: a snapshot never changes and never holds a value that its key does not allow; no
//! text made here (errors, warnings, explanations, `Debug`) shows a secret.

mod declare_error;
mod entry;
mod error;
mod folder;
mod host_keys;
mod key;
mod kind;
mod layer;
mod list;
mod live;
mod mask;
mod overrides;
mod properties;
mod registry;
mod snapshot;
mod toml;
mod value;
mod warning;
mod watching;

pub use declare_error::DeclareError;
pub use entry::{Entry, ParseError, Place};
pub use error::{ConfigError, Fault, ValueError};
pub use folder::Folder;
pub use host_keys::host_keys;
pub use key::KeySpec;
pub use kind::Kind;
pub use layer::Origin;
pub use live::{Changes, Config};
pub use overrides::{Override, ParseOverrideError};
pub use properties::parse_properties;
pub use registry::Registry;
pub use snapshot::{Explanation, Snapshot};
pub use toml::parse_toml;
pub use value::Value;
pub use warning::Warning;
