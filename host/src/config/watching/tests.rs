use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tokio::sync::watch;

use super::*;
use crate::config::{Folder, Registry, Snapshot};

/// Longer than a rescan and every wait before it.
const DEADLINE: Duration = Duration::from_secs(20);

struct World {
    root: tempfile::TempDir,
    config: Arc<Config>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    task: JoinHandle<()>,
}

impl World {
    fn new(text: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.properties"), text).unwrap();
        let config = Config::load(Folder::named(folder), vec![], Registry::new(vec![])).unwrap();
        let config = Arc::new(config);
        Self {
            root,
            snapshots: config.subscribe(),
            task: Arc::clone(&config).watch(),
            config,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("etc").join(name)
    }

    async fn until(&mut self, key: &str, value: &str) {
        let reached = self
            .snapshots
            .wait_for(|snapshot| snapshot.get(key) == Some(value));
        timeout(DEADLINE, reached).await.expect(key).unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_written_takes_effect() {
    let mut world = World::new("a=1");
    fs::write(world.path("a.properties"), "a=2").unwrap();
    world.until("a", "2").await;
    fs::write(world.path("b.toml"), "b = 3").unwrap();
    world.until("b", "3").await;
}

#[tokio::test]
async fn a_file_that_is_moved_into_place_takes_effect() {
    let mut world = World::new("a=1");
    for value in ["2", "3", "4"] {
        fs::write(world.path(".new"), format!("a={value}")).unwrap();
        fs::rename(world.path(".new"), world.path("a.properties")).unwrap();
        world.until("a", value).await;
    }
}

#[tokio::test]
async fn a_file_that_a_link_leads_to_takes_effect_where_nobody_watches_it() {
    let mut world = World::new("a=1");
    let elsewhere = world.root.path().join("elsewhere");
    fs::write(&elsewhere, "b=1").unwrap();
    symlink(&elsewhere, world.path("b.properties")).unwrap();
    world.until("b", "1").await;
    fs::write(&elsewhere, "b=2").unwrap();
    world.until("b", "2").await;
}

#[tokio::test]
async fn a_broken_file_is_told_and_the_next_good_one_takes_effect() {
    let mut world = World::new("a=1");
    let mut faults = world.config.subscribe_fault();
    fs::write(world.path("a.properties"), "a=\\u").unwrap();
    let told = faults.wait_for(Option::is_some);
    timeout(DEADLINE, told).await.unwrap().unwrap();
    assert_eq!(world.config.snapshot().get("a"), Some("1"));
    fs::write(world.path("a.properties"), "a=2").unwrap();
    world.until("a", "2").await;
    assert_eq!(world.config.fault(), None);
}

#[tokio::test]
async fn a_folder_that_is_replaced_is_followed_in_its_place() {
    let mut world = World::new("a=1");
    for value in ["2", "3"] {
        fs::remove_dir_all(world.path("")).unwrap();
        fs::create_dir(world.path("")).unwrap();
        fs::write(world.path("a.properties"), format!("a={value}")).unwrap();
        world.until("a", value).await;
        fs::write(world.path("b.properties"), format!("b={value}")).unwrap();
        world.until("b", value).await;
    }
}

#[tokio::test]
async fn watching_ends_when_nobody_else_holds_the_configuration() {
    let World {
        config, task, root, ..
    } = World::new("a=1");
    drop(config);
    timeout(DEADLINE, task).await.unwrap().unwrap();
    drop(root);
}

#[test]
fn reading_and_other_peoples_files_are_no_changes() {
    let event =
        |kind, name: &str| Event::new(kind).add_path(PathBuf::from("/etc/belfry").join(name));
    let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let created = EventKind::Create(notify::event::CreateKind::File);
    assert!(!concerns_files(&event(read, "a.toml")));
    assert!(concerns_files(&event(written, "a.toml")));
    assert!(concerns_files(&event(created, "a.properties")));
    assert!(!concerns_files(&event(created, ".a.properties.swp")));
    assert!(!concerns_files(&event(created, "belfry.db-wal")));
}
