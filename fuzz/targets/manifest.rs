//! An artifact that somebody put into the plugins folder, read before it is trusted.
#![no_main]

use belfry_host::bundle::elf;
use belfry_plugin_api::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Manifest::parse(bytes) {
        Ok(manifest) => assert!(manifest.window > 0, "a window of 0 is a contradiction"),
        // What is wrong is said to people, so saying it must work, too.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Err(error) = elf::inspect(bytes) {
        assert!(!error.to_string().is_empty());
    }
    let _ = elf::manifest_section(bytes);
});
