//! The typed boundary between the host and an artifact.
//!
//! It is as narrow as it can be: a root module of two functions, and an object by which the
//! plugin's threads exchange bytes with the host. Everything else is [frames](crate::frame), and
//! that is where the boundary grows: `abi_stable` lets a library be newer than its loader, but
//! refuses one whose types have fewer fields than the loader's. A host that ever needs another
//! function here keeps these types beside the new ones and tries them in turn.
//!
//! `abi_stable` compares the version of the crate that defines the types, too, as Cargo does: what
//! was built with this crate's 0.1.0 is taken by a host with 0.1.1, and by one with 0.2.0 not.
#![expect(
    unsafe_code,
    reason = "the plugin boundary: abi_stable's generated code and the library header"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    non_local_definitions,
    reason = "abi_stable generates such items"
)]

use abi_stable::StableAbi;
use abi_stable::library::{
    __call_root_module_loader, CheckTypeLayout, LibHeader, RootModule, RootModuleResult,
};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_trait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RBox, RResult, RSlice, RString, RVec};

use crate::describe::Exported;

/// What a plugin's threads call to exchange frames with the host.
#[sabi_trait]
pub trait HostLink: Send + Sync + 'static {
    /// Waits for frames: one or more whole frames, each with its length in front. Empty when the
    /// host has gone; then nothing comes any more.
    fn receive(&self) -> RVec<u8>;

    /// Hands over whole frames, each with its length in front; waits while the host's queue is
    /// full. False when the host has gone.
    #[sabi(last_prefix_field)]
    fn send(&self, frames: RSlice<'_, u8>) -> bool;
}

/// The link as it is handed to a plugin.
pub type HostLinkObject = HostLink_TO<RBox<()>>;

/// An artifact's root module.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
#[sabi(missing_field(panic))]
pub struct PluginModule {
    /// What is compiled in, as the JSON of a [`Description`](crate::describe::Description).
    pub describe: extern "C" fn() -> RString,

    /// Runs the plugin on the calling thread until the host says stop or goes. The error is a
    /// sentence for the operator.
    #[sabi(last_prefix_field)]
    pub run: extern "C" fn(HostLinkObject) -> RResult<(), RString>,
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}

    const BASE_NAME: &'static str = "belfry_plugin";
    const NAME: &'static str = "belfry_plugin";
    /// The version of this boundary, not of the crate: frames have their own way to grow.
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}

extern "C" fn describe<P: Exported>() -> RString {
    let described = std::panic::catch_unwind(|| P::description().to_json());
    described.unwrap_or_default().into()
}

extern "C" fn run<P: Exported>(link: HostLinkObject) -> RResult<(), RString> {
    // No panic may cross the boundary, whatever the SDK's own handling missed.
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| crate::sdk::run::<P>(link)));
    match ran {
        Ok(Ok(())) => RResult::ROk(()),
        Ok(Err(error)) => RResult::RErr(error.to_string().into()),
        Err(_) => RResult::RErr("the plugin's main thread panicked".into()),
    }
}

fn module<P: Exported>() -> PluginModuleRef {
    PluginModule {
        describe: describe::<P>,
        run: run::<P>,
    }
    .leak_into_prefix()
}

extern "C" fn construct<P: Exported>() -> RootModuleResult {
    __call_root_module_loader(module::<P>)
}

/// The header that the host looks for; [`export_plugin!`](crate::export_plugin) exports it.
#[doc(hidden)]
pub const fn header<P: Exported>() -> LibHeader {
    // SAFETY: `construct` returns the module of `module`, whose type is the one named here.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(construct::<P>, CheckTypeLayout::Yes) }
}
