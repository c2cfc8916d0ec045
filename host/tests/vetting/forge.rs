//! Artifacts that somebody has tampered with, or that are no work of Cargo's at all.

use std::path::Path;
use std::process::Command;

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection};

/// The section with the manifest.
const SECTION: &str = ".belfry.manifest";

/// The manifest of a forged library that is to look good until it is loaded.
pub(crate) const MANIFEST: &str = r#"
id = "forged"
version = "0.1.0"
api = "^0.1"

[[provides]]
kind = "event-handler"
topics = ["*"]
"#;

/// Other bytes at a place.
pub(crate) fn patched(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_owned();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

/// Other bytes wherever some are, which must be somewhere.
pub(crate) fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let places = places(bytes, what);
    assert!(!places.is_empty(), "nothing to replace");
    let patch = |bytes: Vec<u8>, place| patched(&bytes, place, with);
    places.into_iter().fold(bytes.to_owned(), patch)
}

/// Another minor version in each header of `abi_stable`'s.
pub(crate) fn with_other_abi(bytes: &[u8]) -> Vec<u8> {
    /// What the header begins with; it is padded to this length, and the versions follow.
    const MAGIC: &[u8] = b"abi stable library for Rust";
    const MINOR: usize = 32 + 4;
    let headers = places(bytes, MAGIC);
    assert!(!headers.is_empty(), "no header");
    let patch = |bytes: Vec<u8>, place| patched(&bytes, place + MINOR, &99_u32.to_le_bytes());
    headers.into_iter().fold(bytes.to_owned(), patch)
}

/// As if it had been built with another manifest: the section and what is compiled in are changed
/// alike.
pub(crate) fn built_with_manifest(bytes: &[u8], manifest: &str) -> Vec<u8> {
    let (_, old) = section(bytes);
    replaced(bytes, &old, &padded(manifest, old.len()))
}

/// With another manifest in the section alone.
pub(crate) fn with_manifest_section(bytes: &[u8], manifest: &str) -> Vec<u8> {
    let (at, old) = section(bytes);
    patched(bytes, at, &padded(manifest, old.len()))
}

/// The manifest that an artifact has.
pub(crate) fn manifest(bytes: &[u8]) -> String {
    String::from_utf8(section(bytes).1).unwrap()
}

/// A library written in C. The code sees `MANIFEST`, `HEADER` and `RAISES`, which make each of the
/// three things that vetting looks for before it loads anything.
pub(crate) fn c_library(manifest: &[u8], code: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("plugin.toml"), manifest).unwrap();
    let embed = format!(
        r#"__asm__(".pushsection {SECTION},\"a\",%progbits\n.incbin \"{}\"\n.popsection\n");"#,
        path("plugin.toml").display()
    );
    let prelude = "
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        #define HEADER char _1as_0lib_1header_0root_bmodule_bloader[4096] = {1};
        #define RAISES int _Unwind_RaiseException(void *); \
            int (*raises)(void *) = _Unwind_RaiseException;
        #define LOADED __attribute__((constructor)) static void loaded(void)
    ";
    let code = code.replace("MANIFEST", &embed);
    std::fs::write(path("forged.c"), format!("{prelude}{code}")).unwrap();
    compile(&path("forged.c"), options, &path("forged.so"))
}

/// An object file, which nobody has linked.
pub(crate) fn c_object() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("forged.c");
    std::fs::write(&source, "int answer = 42;").unwrap();
    compile(&source, &["-c"], &folder.path().join("forged.o"))
}

fn compile(source: &Path, options: &[&str], to: &Path) -> Vec<u8> {
    let mut compile = Command::new("cc");
    compile.args(["-fPIC", "-o"]).arg(to).arg(source);
    if !options.contains(&"-c") {
        compile.arg("-shared");
    }
    let output = compile.args(options).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    std::fs::read(to).unwrap()
}

fn places(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(what.len()).enumerate();
    let found = windows.filter(|(_, window)| *window == what);
    found.map(|(at, _)| at).collect()
}

/// Where the manifest lies, and what it is.
fn section(bytes: &[u8]) -> (usize, Vec<u8>) {
    let file = ElfFile64::<Endianness>::parse(bytes).unwrap();
    let section = file.section_by_name(SECTION).unwrap();
    let (at, _) = section.file_range().unwrap();
    (
        usize::try_from(at).unwrap(),
        section.data().unwrap().to_owned(),
    )
}

fn padded(manifest: &str, length: usize) -> Vec<u8> {
    assert!(manifest.len() <= length, "the other manifest is longer");
    let mut bytes = manifest.as_bytes().to_owned();
    bytes.resize(length, b'\n');
    bytes
}
