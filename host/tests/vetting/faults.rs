//! What can be wrong with an artifact, one row a fault.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use belfry_plugin_api::describe::{API_VERSION, Description};
use belfry_plugin_api::manifest::ServiceKind;

use crate::built;
use crate::forge::{self, MANIFEST, c_library, patched};

/// A fault: its name, how a file comes to have it, and words of the sentence about it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) put: Box<dyn Fn(&Path)>,
    pub(crate) words: &'static [&'static str],
}

fn bytes(name: &'static str, bytes: Vec<u8>, words: &'static [&'static str]) -> Row {
    let put = move |path: &Path| std::fs::write(path, &bytes).unwrap();
    Row {
        name,
        put: Box::new(put),
        words,
    }
}

fn file(name: &'static str, put: fn(&Path), words: &'static [&'static str]) -> Row {
    Row {
        name,
        put: Box::new(put),
        words,
    }
}

/// Faults of the file that the bytes lie in.
pub(crate) fn of_the_file() -> Vec<Row> {
    vec![
        file(
            "world-writable",
            |path| {
                std::fs::write(path, built::good()).unwrap();
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o646)).unwrap();
            },
            &["is world-writable (mode 646)", "chmod o-w"],
        ),
        file(
            "folder",
            |path| std::fs::create_dir(path).unwrap(),
            &["is not a regular file"],
        ),
        file(
            "device",
            |path| symlink("/dev/zero", path).unwrap(),
            &["is not a regular file"],
        ),
        file(
            "pipe",
            |path| {
                use rustix::fs::{CWD, FileType, Mode, mknodat};
                mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
            },
            &["is not a regular file"],
        ),
        file(
            "unreadable",
            // A link to itself is what even root cannot read.
            |path| symlink(path, path).unwrap(),
            &["cannot be read", "symbolic links"],
        ),
    ]
}

/// Faults that are found without loading anything.
pub(crate) fn of_the_bytes() -> Vec<Row> {
    // Where the ELF header says for whom the file is.
    let (class, order, machine) = (4, 5, 18);
    let good = built::good();
    let damaged = &["is truncated or damaged", "copy or build it again"];
    let other_machine = &["is built for", "not 64-bit little-endian", "runs on"];
    vec![
        bytes(
            "text",
            b"#!/bin/sh\n".into(),
            &["is not an ELF file", "shared object"],
        ),
        bytes("empty", Vec::new(), &["is not an ELF file"]),
        bytes("32-bit", patched(good, class, &[1]), other_machine),
        bytes("big-endian", patched(good, order, &[2]), other_machine),
        bytes(
            "machine",
            patched(good, machine, &[243, 0]),
            &[
                "is built for riscv64",
                "runs on",
                "install the package for this machine",
            ],
        ),
        bytes(
            "unheard-of-machine",
            patched(good, machine, &[0x34, 0x12]),
            &["is built for another machine (ELF machine 4660)"],
        ),
        bytes("half", good[..good.len() / 2].into(), damaged),
        bytes("all-but-one-byte", good[..good.len() - 1].into(), damaged),
        bytes("header-alone", good[..64].into(), damaged),
        bytes("no-header", good[..20].into(), damaged),
        bytes(
            "object",
            forge::c_object(),
            &["is an ELF file, but no shared object", "cdylib"],
        ),
        bytes(
            "no-root-module",
            c_library(MANIFEST.as_bytes(), "MANIFEST RAISES", &[]),
            &["does not export the root module", "export_plugin!"],
        ),
        bytes(
            "other-root-module",
            forge::replaced(good, b"root_bmodule_bloader\0", b"root_bmodule_bloadeR\0"),
            &["does not export the root module", "export_plugin!"],
        ),
        bytes(
            "panic-abort",
            built::with_panic_abort(),
            &["panic = \"abort\"", "build it with panic = \"unwind\""],
        ),
    ]
}

/// Faults of the manifest.
pub(crate) fn of_the_manifest() -> Vec<Row> {
    let good = built::good();
    let own = forge::manifest(good);
    let c = |manifest: &[u8]| c_library(manifest, "MANIFEST HEADER RAISES", &[]);
    let lying = |what: &str, lie: &str| {
        assert!(own.contains(what), "{own}");
        forge::built_with_manifest(good, &own.replace(what, lie))
    };
    vec![
        bytes(
            "no-manifest",
            c_library(b"", "HEADER RAISES", &[]),
            &["no section .belfry.manifest", "export_plugin!"],
        ),
        bytes("not-utf-8", c(b"id = \"\xff\""), &["manifest is not UTF-8"]),
        bytes(
            "not-toml",
            c(b"<plugin/>"),
            &["manifest cannot be read", "line 1, column 1"],
        ),
        bytes(
            "unknown-key",
            c(format!("colour = \"red\"{MANIFEST}").as_bytes()),
            &[
                "manifest cannot be read",
                "line 1, column 1",
                "unknown field `colour`",
            ],
        ),
        bytes(
            "contradictory",
            c(MANIFEST.replace("topics = [\"*\"]", "").as_bytes()),
            &["manifest is contradictory", "names no topics"],
        ),
        bytes(
            "large-manifest",
            c(&vec![b'#'; 64 * 1024 + 1]),
            &["manifest has 65537 bytes", "65536 are allowed"],
        ),
        bytes(
            "other-api",
            lying("^0.1", "^0.2"),
            &[
                "needs plugin-api ^0.2, and this host has",
                "install the matching version",
            ],
        ),
        bytes(
            "lie-about-id",
            lying("push-hello", "push-hullo"),
            &[
                "does not tell the truth",
                "says id push-hullo, and the code is push-hello",
            ],
        ),
        bytes(
            "lie-about-version",
            lying("version = \"0.1.0\"", "version = \"0.9.0\""),
            &[
                "does not tell the truth",
                "says version 0.9.0, and the code is version 0.1.0",
            ],
        ),
        bytes(
            "lie-about-kinds",
            forge::built_with_manifest(good, &MANIFEST.replace("forged", "push-hello")),
            &[
                "does not tell the truth",
                "says that it provides event-handler, and the code provides listener",
            ],
        ),
        bytes(
            "lie-about-nothing",
            forge::built_with_manifest(
                good,
                "id = \"push-hello\"\nversion = \"0.1.0\"\napi = \"*\"",
            ),
            &["says that it provides nothing, and the code provides listener"],
        ),
        bytes(
            "changed-afterwards",
            forge::with_manifest_section(good, &own.replace("Tells", "Sells")),
            &[
                "does not tell the truth",
                "section was changed after the artifact was built",
            ],
        ),
    ]
}

/// Faults that show when the artifact is loaded.
pub(crate) fn of_the_code() -> Vec<Row> {
    let good = built::good();
    let loaded = |code: &str| {
        let code = format!("MANIFEST HEADER RAISES LOADED {{ {code} }}");
        c_library(MANIFEST.as_bytes(), &code, &[])
    };
    let ended = &["ended the vetting process", "would end the host"];
    vec![
        bytes(
            "other-abi",
            forge::with_other_abi(good),
            &[
                "is built for another ABI",
                "it has abi_stable 0.99, and this host 0.",
            ],
        ),
        bytes(
            "other-boundary",
            built::with_other_layout("other-version"),
            &[
                "is built for another ABI",
                "boundary has version 2.0.0, and this host's 1.0.0",
            ],
        ),
        bytes(
            "other-layout",
            built::with_other_layout(""),
            &[
                "laid out differently",
                "describe, returns: mismatched type, RVec instead of RString",
                "run: mismatched type, u64 instead of HostLink_TO",
            ],
        ),
        bytes(
            "panics",
            built::with_other_layout("panicking"),
            &["root module cannot be made", "panicked"],
        ),
        bytes(
            "foreign-root-module",
            c_library(MANIFEST.as_bytes(), "MANIFEST HEADER RAISES", &[]),
            &["what it exports as root module is none", "export_plugin!"],
        ),
        bytes(
            "missing-library",
            with_missing_library(),
            &["dynamic loader refuses it: libbelfry-nowhere.so: cannot open"],
        ),
        bytes(
            "missing-function",
            c_library(
                MANIFEST.as_bytes(),
                "MANIFEST HEADER RAISES int nowhere(void); int here(void) { return nowhere(); }",
                &["-Wl,-z,lazy"],
            ),
            &["dynamic loader refuses it: undefined symbol: nowhere"],
        ),
        bytes(
            "crashes",
            loaded("*(volatile int *) 0 = 1;"),
            &["ended the vetting process", "SIGSEGV"],
        ),
        bytes(
            "aborts",
            loaded(r#"fputs("no\nmore", stderr); abort();"#),
            &[
                "ended the vetting process",
                "SIGABRT",
                "last words were \"more\"",
            ],
        ),
        bytes("exits", loaded("_exit(0);"), ended),
        bytes(
            "takes-all-memory",
            loaded("for (;;) memset(malloc(1 << 20), 1, 1 << 20);"),
            ended,
        ),
        bytes("speaks-for-the-child", loaded(&forged_verdict()), ended),
    ]
}

fn with_missing_library() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere.so");
    let soname = &["-Wl,-soname,libbelfry-nowhere.so"];
    std::fs::write(&nowhere, c_library(b"", "int nowhere;", soname)).unwrap();
    let options = &["-Wl,--no-as-needed", nowhere.to_str().unwrap()];
    c_library(MANIFEST.as_bytes(), "MANIFEST HEADER RAISES", options)
}

/// Says on standard output what the child would say of a good artifact, and ends.
fn forged_verdict() -> String {
    let description = Description {
        name: "forged".into(),
        version: "0.1.0".into(),
        api_version: API_VERSION.into(),
        kinds: vec![ServiceKind::EventHandler],
        manifest: MANIFEST.into(),
    };
    let verdict = serde_json::json!({ "Described": description }).to_string();
    let length = verdict.len();
    format!("if (write(1, {verdict:?}, {length})) _exit(0);")
}
