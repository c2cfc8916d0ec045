//! The file: who may read it, what is refused, and in which words.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use super::super::QueueError;
use super::super::schema;
use super::*;

/// The user that owns nothing.
const NOBODY: u32 = 65_534;
const FOLDER: &str = "BELFRY_TEST_READ_ONLY_FOLDER";

fn refusal(path: &Path) -> QueueError {
    Queue::open(Options::new(path)).expect_err("it must be refused")
}

/// A queue with two large entries, closed; some of its pages are the entries' alone.
async fn closed_queue() -> (tempfile::TempDir, PathBuf) {
    let world = World::new();
    for _ in 0..2 {
        world.accept("push-dovecot", &[7; 20_000]).await;
    }
    world.queue.close().await.expect("closes");
    let path = world.folder.path().join("queue.db");
    (world.folder, path)
}

#[tokio::test]
async fn all_files_are_for_the_owner_alone() {
    let world = World::new();
    world.accept("push-dovecot", b"mail").await;
    for name in ["queue.db", "queue.db-wal", "queue.db-reserve"] {
        let found = fs::metadata(world.folder.path().join(name)).expect(name);
        assert_eq!(found.mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_was_left_open_to_others_is_closed_to_them() {
    let (_folder, path) = closed_queue().await;
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("changed");

    let queue = Queue::open(Options::new(&path)).expect("opens");

    let mode = fs::metadata(&path).expect("there").mode() & 0o777;
    assert_eq!(mode, 0o600);
    queue.close().await.expect("closes");
}

#[tokio::test]
async fn a_closed_queue_leaves_no_log() {
    let (folder, _path) = closed_queue().await;
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("readable")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["queue.db", "queue.db-reserve"]);
}

#[tokio::test]
async fn a_queue_whose_handles_are_dropped_ends_by_itself() {
    let world = World::new();
    let id = world.accept("push-dovecot", b"mail").await;
    let World {
        queue,
        clock,
        folder,
    } = world;
    drop(queue);

    // The writer lets go of the file within the time that opening waits for it.
    let queue = open(folder.path(), Durability::Power, &clock);
    let page = queue.load_inbox("push-dovecot", 0, 10).await;
    assert_eq!(page.expect("loaded").entries[0].id, id);
}

#[tokio::test]
async fn a_file_in_use_is_refused_and_its_user_not_disturbed() {
    let world = World::new();
    let told = refusal(&world.folder.path().join("queue.db"));
    assert!(matches!(told, QueueError::InUse { .. }), "{told}");
    assert!(told.to_string().contains("--state"), "{told}");

    world.accept("push-dovecot", b"mail").await;
    assert_eq!(world.inbox("push-dovecot").await.len(), 1);
}

#[tokio::test]
async fn a_file_from_the_future_is_refused_and_left_as_it_was() {
    let (_folder, path) = closed_queue().await;
    let future = schema::NEWEST + 1;
    Connection::open(&path)
        .expect("opens")
        .pragma_update(None, "user_version", future)
        .expect("set");
    let before = fs::read(&path).expect("readable");

    let told = refusal(&path);

    let QueueError::Newer { found, known, .. } = told else {
        panic!("not the right refusal: {told}");
    };
    assert_eq!((found, known), (future, schema::NEWEST));
    assert!(told.to_string().contains("newer belfryd"), "{told}");
    assert_eq!(fs::read(&path).expect("readable"), before);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    Connection::open(&path)
        .expect("opens")
        .execute_batch("CREATE TABLE inbox (what TEXT)")
        .expect("created");
    let before = fs::read(&path).expect("readable");

    let told = refusal(&path);

    assert!(told.to_string().contains("another program"), "{told}");
    assert_eq!(fs::read(&path).expect("readable"), before);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    fs::write(&path, vec![b'x'; 10_000]).expect("written");

    let told = refusal(&path);

    assert!(matches!(told, QueueError::Corrupt { .. }), "{told}");
    assert!(told.to_string().contains("aside"), "{told}");
    assert_eq!(fs::read(&path).expect("readable"), vec![b'x'; 10_000]);
}

#[tokio::test]
async fn a_damaged_page_is_found_at_the_start() {
    let (_folder, path) = closed_queue().await;
    let mut bytes = fs::read(&path).expect("readable");
    // The first page stays, so that the file still looks like a queue.
    bytes[4096..].fill(0xA5);
    fs::write(&path, &bytes).expect("written");

    let told = refusal(&path);

    assert!(matches!(told, QueueError::Corrupt { .. }), "{told}");
    assert_eq!(fs::read(&path).expect("readable").len(), bytes.len());
}

#[tokio::test]
async fn a_file_cut_short_is_refused() {
    let (_folder, path) = closed_queue().await;
    let bytes = fs::read(&path).expect("readable");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");

    let told = refusal(&path);

    assert!(matches!(told, QueueError::Corrupt { .. }), "{told}");
}

#[test]
fn a_log_without_its_file_is_not_thrown_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("queue.db-wal");
    fs::write(&log, b"accepted mail").expect("written");

    let told = refusal(&folder.path().join("queue.db"));

    assert!(told.to_string().contains("queue.db-wal"), "{told}");
    assert_eq!(fs::read(&log).expect("readable"), b"accepted mail");
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = refusal(&folder.path().join("nowhere/queue.db"));
    assert!(told.to_string().contains("nowhere/queue.db"), "{told}");
    assert!(told.to_string().contains("No such file"), "{told}");
}

/// Runs itself again as a user to whom the folder is closed, for root may write everywhere.
#[tokio::test]
async fn a_read_only_folder_is_refused_with_advice() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = PathBuf::from(folder);
        for name in ["new.db", "queue.db"] {
            let told = refusal(&folder.join(name));
            assert!(matches!(told, QueueError::ReadOnly { .. }), "{told}");
            assert!(told.to_string().contains("writable"), "{told}");
        }
        return;
    }
    let (folder, path) = closed_queue().await;
    fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("changed");
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().expect("a path"), &program).expect("copied");
    fs::set_permissions(&program, Permissions::from_mode(0o555)).expect("changed");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).expect("changed");

    let mut child = Command::new(&program);
    child.args(["--exact", "--nocapture"]);
    child.arg(own_name(
        module_path!(),
        "a_read_only_folder_is_refused_with_advice",
    ));
    child.env(FOLDER, folder.path());
    if fs::metadata("/proc/self").expect("there").uid() == 0 {
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output().expect("runs");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("changed");

    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "it must have run: {printed}");
}
