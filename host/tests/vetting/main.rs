//! What is refused before it runs, and with which sentence.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod built;
mod faults;
mod forge;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of plugins.
struct Plugins(TempDir);

impl Plugins {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["etc", "plugins", "state"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    fn of(name: &str, bytes: &[u8]) -> Self {
        let plugins = Self::new();
        std::fs::write(plugins.file(name), bytes).unwrap();
        plugins
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("plugins").join(format!("{name}.so"))
    }

    /// `belfryd --check`.
    fn check(&self) -> Command {
        let mut check = Command::new(env!("CARGO_BIN_EXE_belfryd"));
        check.env("BELFRY_LOG", "off").arg("--check");
        for (option, name) in [
            ("--config", "etc"),
            ("--plugins", "plugins"),
            ("--state", "state"),
        ] {
            check.arg(option).arg(self.0.path().join(name));
        }
        check
    }
}

/// `belfryctl plugin vet FILE`.
fn vet(file: &Path) -> Output {
    let mut vet = Command::new(env!("CARGO_BIN_EXE_belfryctl"));
    vet.args(["plugin", "vet"]).arg(file).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn has_words(sentence: &str, words: &[&str]) -> bool {
    words.iter().all(|word| sentence.contains(word))
}

/// Each is refused with its sentence: by `belfryd --check`, which says all at once, and by
/// `belfryctl plugin vet`.
fn are_refused(rows: Vec<faults::Row>) {
    let plugins = Plugins::new();
    for row in &rows {
        (row.put)(&plugins.file(row.name));
    }
    let checked = plugins.check().output().unwrap();
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), rows.len(), "one line each:\n{said}");
    for row in &rows {
        let file = plugins.file(row.name);
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{}: ", file.display())));
        let fault = line.unwrap_or_else(|| panic!("{} is not refused:\n{said}", row.name));
        assert!(has_words(fault, row.words), "{}: {fault}", row.name);

        let vetted = vet(&file);
        let said = text(&vetted.stderr);
        assert_eq!(vetted.status.code(), Some(1), "{}: {said}", row.name);
        assert!(has_words(&said, row.words), "{}: {said}", row.name);
        assert_eq!(text(&vetted.stdout), "", "{}", row.name);
    }
}

#[test]
fn a_file_that_others_can_change_or_that_is_none_is_refused() {
    are_refused(faults::of_the_file());
}

#[test]
fn bytes_that_are_no_artifact_for_this_host_are_refused() {
    are_refused(faults::of_the_bytes());
}

#[test]
fn a_manifest_that_is_missing_or_wrong_or_lies_is_refused() {
    are_refused(faults::of_the_manifest());
}

#[test]
fn code_that_does_not_fit_or_does_harm_while_it_is_loaded_is_refused() {
    are_refused(faults::of_the_code());
}

fn passes(bytes: &[u8]) {
    let plugins = Plugins::of("good", bytes);
    // No folder for temporary files is needed, which may be full or forbid to execute.
    let checked = plugins.check().env("TMPDIR", "/nowhere").output().unwrap();
    assert_eq!(text(&checked.stderr), "");
    assert_eq!(checked.status.code(), Some(0));
    let vetted = vet(&plugins.file("good"));
    assert_eq!(vetted.status.code(), Some(0), "{}", text(&vetted.stderr));
    let said = text(&vetted.stdout);
    assert!(said.contains(env!("CARGO_PKG_VERSION")), "{said}");
}

#[test]
fn a_good_plugin_passes() {
    passes(built::good());
}

#[test]
fn what_a_good_plugin_prints_while_it_is_loaded_is_no_fault() {
    passes(&built::talkative());
}

#[test]
fn one_that_hangs_while_it_is_loaded_is_given_up_with_all_that_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("pid");
    // Its own child keeps the standard output open, and would outlive it.
    let code = format!(
        "MANIFEST HEADER RAISES LOADED {{
            if (fork() == 0) {{
                FILE *note = fopen({note:?}, \"w\");
                fprintf(note, \"%d\", (int) getpid());
                fclose(note);
                for (;;) pause();
            }}
            _exit(0);
        }}"
    );
    let library = forge::c_library(forge::MANIFEST.as_bytes(), &code, &[]);
    let plugins = Plugins::of("hangs", &library);
    let checked = plugins.check().output().unwrap();
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(
        has_words(&said, &["loading it did not end within 20 s"]),
        "{said}"
    );
    let pid = std::fs::read_to_string(&note).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while is_running(&pid) {
        assert!(
            Instant::now() < deadline,
            "process {pid} outlives the vetting"
        );
        // Its end tells nobody but its parent.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A process that has ended may wait for whoever inherited it to take note.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn export_plugin_refuses_to_be_built_with_panic_abort() {
    let output = built::cargo()
        .args(["check", "--quiet", "--locked", "--package", "push-hello"])
        .args(["--config", "profile.dev.panic=\"abort\"", "--target-dir"])
        .arg(built::target().join("fixtures"))
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("needs `panic = \"unwind\"` in its profile"),
        "{said}"
    );
}
