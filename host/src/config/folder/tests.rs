use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("etc").join(name)
    }

    fn write(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn read(&self) -> Contents {
        Folder::named(self.root.path().join("etc")).read(false)
    }

    /// What is wrong, with the folder left out of the paths.
    fn faults(&self) -> Vec<String> {
        let prefix = format!("{}/", self.root.path().join("etc").display());
        let faults = self.read().faults;
        faults
            .iter()
            .map(|fault| fault.to_string().replace(&prefix, ""))
            .collect()
    }
}

fn keys(contents: &Contents) -> Vec<&str> {
    assert_eq!(contents.faults, []);
    contents.settings.keys().map(String::as_str).collect()
}

#[test]
fn files_of_both_kinds_fill_one_space_of_names() {
    let world = World::new()
        .write("a.properties", "x.a=1")
        .write("b.toml", "x.b = 2");
    assert_eq!(keys(&world.read()), ["x.a", "x.b"]);
}

#[test]
fn folders_inside_hidden_files_and_temporary_copies_are_left_alone() {
    let world = World::new()
        .write(".hidden.properties", "a=1")
        .write(".x.properties.swp", "a=2")
        .write("x.properties~", "a=3")
        .write("x.properties.dpkg-new", "a=4")
        .write("#x.properties#", "a=5")
        .write("x.yml", "a: 6")
        .write("toml", "a = 7");
    fs::create_dir(world.path("inner")).unwrap();
    fs::write(world.path("inner/y.properties"), "a=8").unwrap();
    assert_eq!(keys(&world.read()), [""; 0]);
}

#[test]
fn a_key_set_twice_names_both_places_in_the_order_of_the_files_names() {
    let world = World::new()
        .write("b.properties", "x.y=1")
        .write("a.toml", "\n[x]\ny = 2")
        .write("c.properties", "z=1\nz=1");
    assert_eq!(
        world.faults(),
        [
            "x.y is set twice, at a.toml:3 and at b.properties:1; remove one of the two lines",
            "z is set twice, at c.properties:1 and at c.properties:2; remove one of the two lines",
        ]
    );
}

#[test]
fn every_file_that_does_not_parse_is_named() {
    let world = World::new()
        .write("a.properties", "\na=\\u12")
        .write("b.toml", "a = ");
    let faults = world.faults();
    assert_eq!(faults.len(), 2);
    assert!(
        faults[0].starts_with("a.properties:2: \\u needs"),
        "{faults:?}"
    );
    assert!(
        faults[1].starts_with("b.toml:1: this is not TOML"),
        "{faults:?}"
    );
}

#[test]
fn a_line_without_a_name_is_kept_for_a_warning() {
    let contents = World::new().write("a.properties", "a=1\n=2\n=3").read();
    let lines: Vec<usize> = contents.nameless.iter().map(Place::line).collect();
    assert_eq!(lines, [2, 3]);
    assert_eq!(keys(&contents), ["a"]);
}

#[test]
fn links_are_followed() {
    let world = World::new();
    fs::write(world.root.path().join("elsewhere"), "a=1").unwrap();
    symlink("../elsewhere", world.path("a.properties")).unwrap();
    assert_eq!(keys(&world.read()), ["a"]);
}

#[test]
fn a_link_that_leads_nowhere_is_a_fault() {
    let world = World::new();
    symlink("nowhere", world.path("a.properties")).unwrap();
    assert_eq!(
        world.faults(),
        ["a.properties: this link leads to no file; correct or remove it"]
    );
}

#[test]
fn a_pipe_or_folder_with_a_files_name_is_a_fault_and_is_not_waited_for() {
    let world = World::new();
    fs::create_dir(world.path("a.toml")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(world.path("b.toml"))
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        world.faults(),
        [
            "a.toml: this is no file; move it out of the configuration folder",
            "b.toml: this is no file; move it out of the configuration folder",
        ]
    );
}

#[test]
fn a_file_beyond_all_measure_is_a_fault() {
    let world = World::new();
    let file = fs::File::create(world.path("a.toml")).unwrap();
    file.set_len(MAX_FILE_BYTES + 1).unwrap();
    assert!(world.faults()[0].starts_with("a.toml: this file has 8388609 bytes"));
}

#[test]
fn a_folder_that_somebody_named_has_to_be_there_and_the_usual_one_need_not() {
    let world = World::new();
    let missing = world.path("missing");
    let faults = Folder::named(&missing).read(false).faults;
    assert!(faults[0].to_string().contains("create it"), "{faults:?}");
    assert_eq!(Folder::usual(&missing).read(false).faults, []);
    assert_eq!(Folder::usual(&missing).read(true).faults.len(), 1);
}

#[test]
fn a_fingerprint_tells_rewritten_files_and_replaced_folders() {
    let world = World::new().write("a.toml", "a = 1");
    let folder = Folder::named(world.path(""));
    let before = folder.fingerprint();
    assert_eq!(folder.fingerprint(), before);
    let world = world.write("new", "a = 2");
    assert_eq!(folder.fingerprint(), before);
    fs::rename(world.path("new"), world.path("a.toml")).unwrap();
    let rewritten = folder.fingerprint();
    assert_ne!(rewritten, before);
    assert!(rewritten.same_folder(&before));
    fs::rename(world.path(""), world.root.path().join("old")).unwrap();
    fs::create_dir(world.path("")).unwrap();
    assert!(!folder.fingerprint().same_folder(&before));
}
