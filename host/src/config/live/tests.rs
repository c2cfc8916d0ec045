use std::fs;

use super::*;
use crate::config::host_keys;

const PERMANENT: &str = "com.openexchange.push.allowPermanentPush";

struct World {
    folder: tempfile::TempDir,
    config: Config,
}

impl World {
    fn new(files: &[(&str, &str)], overrides: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let overrides = overrides.iter().map(|text| text.parse().unwrap()).collect();
        let registry = Registry::new(host_keys(Path::new("/s")));
        let config = Config::load(Folder::named(folder.path()), overrides, registry).unwrap();
        Self { folder, config }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn get(&self, key: &str) -> Option<String> {
        self.config.snapshot().get(key).map(str::to_owned)
    }

    fn declare(&self, keys: &[&str]) -> Result<Changes, ConfigError> {
        let keys: Vec<Key> = keys
            .iter()
            .map(|key| serde_json::from_str(key).unwrap())
            .collect();
        self.config.declare(&plugin(), &keys)
    }
}

fn plugin() -> PluginId {
    "beep".parse().unwrap()
}

fn changed(changes: &Changes) -> Vec<&str> {
    changes.iter().collect()
}

#[test]
fn everything_that_is_wrong_at_the_start_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "a = ").unwrap();
    fs::write(
        folder.path().join("b.properties"),
        format!("{PERMANENT}=maybe\nx=1\nx=2"),
    )
    .unwrap();
    let registry = Registry::new(host_keys(Path::new("/s")));
    let error = Config::load(Folder::named(folder.path()), vec![], registry).unwrap_err();
    assert!(matches!(
        error.faults(),
        [Fault::Syntax(_), Fault::Twice { .. }, Fault::Value(_)]
    ));
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1);
    assert!(
        text.contains("a.toml:1: ") && text.contains("b.properties:1: "),
        "{text}"
    );
}

#[test]
fn of_two_overrides_of_one_key_the_later_one_holds() {
    let set = [format!("{PERMANENT}=true"), format!("{PERMANENT} = false")];
    let world = World::new(&[], &[&set[0], &set[1]]);
    assert_eq!(world.get(PERMANENT).as_deref(), Some("false"));
}

#[test]
fn an_override_is_a_key_and_a_value_and_never_repeated() {
    for text in ["hunter2", "", "=hunter2", " =hunter2"] {
        let error = text.parse::<Override>().unwrap_err().to_string();
        assert!(error.starts_with("--set takes KEY=VALUE") && !error.contains("hunter2"));
    }
    let parsed: Override = "a.b=c=hunter2".parse().unwrap();
    assert!(!format!("{parsed:?}").contains("hunter2"));
    let world = World::new(&[], &["a.b=c=d"]);
    assert_eq!(world.get("a.b").as_deref(), Some("c=d"));
}

#[test]
fn a_reload_publishes_what_changed_and_says_which_keys() {
    let world = World::new(
        &[("a.toml", "belfry.imap.master-user = \"m\"\nx.y = 1")],
        &[],
    );
    let subscriber = world.config.subscribe();
    let before = world.config.snapshot();
    world.write("a.toml", "x.y = 1");
    world.write("b.properties", &format!("{PERMANENT}=false"));
    let changes = world.config.reload().unwrap();
    assert_eq!(changed(&changes), ["belfry.imap.master-user", PERMANENT]);
    assert!(changes.contains(PERMANENT) && !changes.contains("x.y"));
    assert!(subscriber.has_changed().unwrap());
    assert_eq!(world.get(PERMANENT).as_deref(), Some("false"));
    assert_eq!(before.get(PERMANENT), Some("true"));
}

#[test]
fn lines_that_moved_wake_nobody_but_are_explained_where_they_are_now() {
    let world = World::new(&[("a.properties", "x.y=1")], &[]);
    let subscriber = world.config.subscribe();
    world.write("a.properties", "\n\nx.y = 1");
    assert!(world.config.reload().unwrap().is_empty());
    assert!(!subscriber.has_changed().unwrap());
    let origin = world.config.snapshot().explain("x.y").origin.to_string();
    assert!(origin.ends_with("a.properties:3"), "{origin}");
}

#[test]
fn a_file_that_does_not_parse_changes_nothing_and_says_so_until_it_does() {
    let world = World::new(&[("a.properties", &format!("{PERMANENT}=false"))], &[]);
    let subscriber = world.config.subscribe();
    let mut faults = world.config.subscribe_fault();
    world.write("b.properties", "belfry.imap.url=imap://other\nx=\\u1");
    let error = world.config.reload().unwrap_err();
    assert!(error.to_string().contains("b.properties:2: "), "{error}");
    assert_eq!(world.config.fault().as_deref(), Some(&error));
    assert!(faults.has_changed().unwrap());
    faults.mark_unchanged();
    assert!(!subscriber.has_changed().unwrap());
    assert_eq!(
        world.get("belfry.imap.url").as_deref(),
        Some("imap://127.0.0.1:143")
    );
    world.write("b.properties", "belfry.imap.url=imap://other\nx=\\u0031");
    assert_eq!(
        changed(&world.config.reload().unwrap()),
        ["belfry.imap.url", "x"]
    );
    assert_eq!(world.config.fault(), None);
    assert!(faults.has_changed().unwrap());
}

#[test]
fn a_value_that_is_not_allowed_or_a_key_set_twice_changes_nothing() {
    let world = World::new(&[("a.properties", "x.y=1")], &[]);
    for text in ["x.y=2", &format!("z=2\n{PERMANENT}=maybe")] {
        world.write("b.properties", text);
        assert!(world.config.reload().is_err(), "{text}");
        assert_eq!(world.get("x.y").as_deref(), Some("1"));
        assert_eq!(world.get("z"), None);
    }
}

#[test]
fn a_folder_that_vanishes_changes_nothing() {
    let World { folder, config } = World::new(&[("a.properties", "x.y=1")], &[]);
    folder.close().unwrap();
    assert!(config.reload().is_err());
    assert_eq!(config.snapshot().get("x.y"), Some("1"));
}

#[test]
fn a_declared_key_has_its_default_its_type_and_is_no_longer_odd() {
    let world = World::new(&[("a.toml", "belfry.beep.loud = \"TRUE\"")], &[]);
    assert_eq!(world.config.warnings().len(), 1);
    let loud = r#"{"name": "belfry.beep.loud", "type": "flag"}"#;
    let tone = r#"{"name": "belfry.beep.tone", "type": "text", "default": "a"}"#;
    let changes = world.declare(&[loud, tone]).unwrap();
    assert_eq!(changed(&changes), ["belfry.beep.loud", "belfry.beep.tone"]);
    assert_eq!(world.get("belfry.beep.loud").as_deref(), Some("true"));
    assert_eq!(world.get("belfry.beep.tone").as_deref(), Some("a"));
    assert_eq!(world.config.warnings(), []);
    let changes = world.config.withdraw(&plugin());
    assert_eq!(changed(&changes), ["belfry.beep.loud", "belfry.beep.tone"]);
    assert_eq!(world.get("belfry.beep.tone"), None);
}

#[test]
fn a_declaration_that_what_is_set_contradicts_changes_nothing() {
    let world = World::new(&[("a.toml", "belfry.beep.loud = \"very\"")], &[]);
    let error = world
        .declare(&[r#"{"name": "belfry.beep.loud", "type": "flag"}"#])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a.toml:1: belfry.beep.loud is \"very\""),
        "{error}"
    );
    assert_eq!(world.config.warnings().len(), 1);
    let error = world
        .declare(&[r#"{"name": "belfry.imap.url", "type": "url"}"#])
        .unwrap_err();
    assert!(matches!(error.faults(), [Fault::Declaration(_)]));
}

#[test]
fn a_name_with_line_breaks_leaves_every_message_on_one_line() {
    let world = World::new(&[("a.properties", "belfry.\\n=1")], &[]);
    assert_eq!(world.config.warnings()[0].to_string().lines().count(), 1);
    world.write("a.properties", "belfry.\\n=2");
    assert_eq!(world.config.reload().unwrap().to_string(), "belfry.\\n");
    for text in ["\"belfry.\\n\" = 3", "[[\"\\n\"]]", "\"\\n\" = [[]]"] {
        world.write("b.toml", text);
        let error = world.config.reload().unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_line_without_a_name_is_warned_of() {
    let world = World::new(&[("a.properties", "=1")], &[]);
    let warning = world.config.warnings()[0].to_string();
    assert!(
        warning
            .ends_with("a.properties:1: this line sets nothing; put a name before its separator")
    );
}

#[test]
fn nothing_that_is_printed_for_debugging_shows_a_value() {
    let world = World::new(
        &[("a.properties", "a.password=hunter2")],
        &["b.password=hunter2"],
    );
    assert!(!format!("{:?} {:?}", world.config, world.config.snapshot()).contains("hunter2"));
    let entries = crate::config::parse_properties(b"a=hunter2", "a").unwrap();
    assert!(!format!("{entries:?}").contains("hunter2"));
}
