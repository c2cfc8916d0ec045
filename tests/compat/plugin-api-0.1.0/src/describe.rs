//! What an artifact's code says of itself, to be compared with its manifest.

use serde::{Deserialize, Serialize};

use crate::manifest::ServiceKind;
use crate::sdk::{Plugin, Services};

/// The version of plugin-api that this is.
pub const API_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is compiled into an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The crate's name, which is the plugin's id.
    pub name: String,
    /// The crate's version.
    pub version: String,
    /// The version of plugin-api that it was built with.
    pub api_version: String,
    /// The kinds of service that its code offers, in order.
    pub kinds: Vec<ServiceKind>,
    /// The manifest that it was built with.
    pub manifest: String,
}

impl Description {
    /// As it crosses the boundary.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A plugin that [`export_plugin!`](crate::export_plugin) exports.
pub trait Exported: Plugin {
    /// The crate's name.
    const NAME: &'static str;
    /// The crate's version.
    const VERSION: &'static str;
    /// The manifest.
    const MANIFEST: &'static str;

    /// What its code offers.
    fn services() -> Services<Self>;

    /// What is compiled in.
    fn description() -> Description {
        Description {
            name: Self::NAME.to_owned(),
            version: Self::VERSION.to_owned(),
            api_version: API_VERSION.to_owned(),
            kinds: Self::services().kinds(),
            manifest: Self::MANIFEST.to_owned(),
        }
    }
}

/// Makes an artifact of a crate: exports the plugin's type with the kinds of service that it
/// implements, and embeds `plugin.toml`, which lies beside the crate's `Cargo.toml`.
///
/// ```ignore
/// belfry_plugin_api::export_plugin!(Hello: Listener, EventHandler);
/// ```
///
/// The crate needs `crate-type = ["cdylib"]` and a profile with `panic = "unwind"`.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty : $($kind:ident),+ $(,)?) => {
        $crate::export_plugin!($plugin: $($kind),+; concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml"));
    };
    ($plugin:ty : $($kind:ident),+ ; $manifest:expr) => {
        #[cfg(not(panic = "unwind"))]
        compile_error!(
            "a Belfry plugin turns panics into reported failures and needs `panic = \"unwind\"` in its profile"
        );

        impl $crate::describe::Exported for $plugin {
            const NAME: &'static str = env!("CARGO_PKG_NAME");
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
            const MANIFEST: &'static str = include_str!($manifest);

            fn services() -> $crate::sdk::Services<Self> {
                let mut services = $crate::sdk::Services::default();
                $($crate::__offer!(services, $kind);)+
                services
            }
        }

        const _: () = {
            const BYTES: &[u8] = include_bytes!($manifest);

            #[used]
            #[unsafe(link_section = ".belfry.manifest")]
            static SECTION: [u8; BYTES.len()] = *include_bytes!($manifest);

            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static HEADER: $crate::__private::LibHeader = $crate::boundary::header::<$plugin>();
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __offer {
    ($services:ident, Listener) => {
        $services.offer_listener()
    };
    ($services:ident, Transport) => {
        $services.offer_transport()
    };
    ($services:ident, CredentialBackend) => {
        $services.offer_credential_backend()
    };
    ($services:ident, EventHandler) => {
        $services.offer_event_handler()
    };
    ($services:ident, HttpRoutes) => {
        $services.offer_http_routes()
    };
}
