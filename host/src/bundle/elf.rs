//! What can be told of an artifact from its bytes, without running anything.

use belfry_plugin_api::manifest::{Manifest, ManifestError, SECTION};
use object::elf::{EM_AARCH64, EM_RISCV, EM_X86_64, ET_DYN, Machine};
use object::read::elf::{ElfFile64, FileHeader};
use object::{Object, ObjectSection, ObjectSymbol};

/// The symbol that [`export_plugin!`](belfry_plugin_api::export_plugin) exports.
const ROOT_MODULE_SYMBOL: &str = "_1as_0lib_1header_0root_bmodule_bloader";

/// What a library needs from the unwinder to raise a panic. One built with `panic = "abort"`
/// raises none and does not need it.
const RAISE_SYMBOL: &str = "_Unwind_RaiseException";

/// Why bytes are no artifact.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// No ELF magic number.
    #[error("it is not an ELF file; a plugin is a shared object (.so)")]
    NotElf,
    /// The magic number is there, but less than it announces.
    #[error("it is truncated or damaged: {0}; copy or build it again")]
    Damaged(String),
    /// For another machine.
    #[error(
        "it is built for {found}, and this host runs on {}; install the package for this machine",
        std::env::consts::ARCH
    )]
    WrongMachine {
        /// What it is built for.
        found: String,
    },
    /// An executable, an object file, a core dump.
    #[error(
        "it is an ELF file, but no shared object; build the plugin with crate-type = [\"cdylib\"]"
    )]
    NotShared,
    /// No section with a manifest.
    #[error("it has no section {SECTION}, so no manifest; export the plugin with export_plugin!")]
    NoManifest,
    /// A manifest that cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// No root module.
    #[error(
        "it does not export the root module (symbol {ROOT_MODULE_SYMBOL}); export the plugin with export_plugin!"
    )]
    NoRootModule,
    /// Built so that a panic would end the process.
    #[error(
        "it is built with panic = \"abort\": a panic in it would end its process without a word; build it with panic = \"unwind\""
    )]
    PanicAbort,
}

/// Reads an artifact's manifest and checks all that can be checked without loading it.
///
/// # Errors
///
/// Says what is wrong with it and what to do.
pub fn inspect(bytes: &[u8]) -> Result<Manifest, ElfError> {
    let damaged = |error: object::Error| ElfError::Damaged(error.to_string());
    if !bytes.starts_with(b"\x7fELF") {
        return Err(ElfError::NotElf);
    }
    if bytes.get(4) != Some(&2) || bytes.get(5) != Some(&1) {
        return Err(ElfError::WrongMachine {
            found: "a machine that is not 64-bit little-endian".into(),
        });
    }
    let file = ElfFile64::<object::Endianness>::parse(bytes).map_err(damaged)?;
    let endian = file.endian();
    let machine = file.elf_header().e_machine(endian);
    if Some(machine) != own_machine() {
        return Err(ElfError::WrongMachine {
            found: machine_name(machine),
        });
    }
    if file.elf_header().e_type(endian) != ET_DYN {
        return Err(ElfError::NotShared);
    }
    let section = file.section_by_name(SECTION).ok_or(ElfError::NoManifest)?;
    let manifest = Manifest::parse(section.data().map_err(damaged)?)?;
    // The last bytes of a whole file belong to its section headers or sections; reading each
    // section finds a file that ends early before the dynamic loader maps it.
    for section in file.sections() {
        section.data().map_err(damaged)?;
    }
    let mut exports_root = false;
    let mut raises = false;
    for symbol in file.dynamic_symbols() {
        match symbol.name() {
            Ok(ROOT_MODULE_SYMBOL) => exports_root |= symbol.is_definition(),
            Ok(RAISE_SYMBOL) => raises = true,
            Ok(_) => {}
            Err(error) => return Err(damaged(error)),
        }
    }
    if !exports_root {
        return Err(ElfError::NoRootModule);
    }
    if !raises {
        return Err(ElfError::PanicAbort);
    }
    Ok(manifest)
}

/// The bytes of the manifest section.
///
/// # Errors
///
/// The file is damaged or has none.
pub fn manifest_section(bytes: &[u8]) -> Result<&[u8], ElfError> {
    let damaged = |error: object::Error| ElfError::Damaged(error.to_string());
    let file = ElfFile64::<object::Endianness>::parse(bytes).map_err(damaged)?;
    let section = file.section_by_name(SECTION).ok_or(ElfError::NoManifest)?;
    section.data().map_err(damaged)
}

fn own_machine() -> Option<Machine> {
    match std::env::consts::ARCH {
        "x86_64" => Some(EM_X86_64),
        "aarch64" => Some(EM_AARCH64),
        "riscv64" => Some(EM_RISCV),
        _ => None,
    }
}

fn machine_name(machine: Machine) -> String {
    match machine {
        EM_X86_64 => "x86_64".into(),
        EM_AARCH64 => "aarch64".into(),
        EM_RISCV => "riscv64".into(),
        other => format!("another machine (ELF machine {})", other.0),
    }
}
