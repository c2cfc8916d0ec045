//! The properties files that packages install say of every key what is true of it.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use belfry_host::config::{Config, Folder, KeySpec, Registry, host_keys, parse_properties};
use belfry_plugin_api::manifest::Manifest;

/// A line such as `#key = value`, and whether what stands above it calls it an example.
struct Shown {
    key: String,
    value: String,
    is_example: bool,
    line: String,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The keys of the host, in the state folder that packages use, and of all plugins.
fn registry() -> Registry {
    let mut registry = Registry::new(host_keys(Path::new("/var/lib/belfry")));
    for plugin in fs::read_dir(repository().join("plugins")).unwrap() {
        let manifest = fs::read(plugin.unwrap().path().join("plugin.toml")).unwrap();
        let manifest = Manifest::parse(&manifest).unwrap();
        registry.add(&manifest.id, &manifest.keys).unwrap();
    }
    registry
}

fn files() -> Vec<(String, String)> {
    let files = fs::read_dir(repository().join("config")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let properties = files.filter(|path| path.extension().is_some_and(|name| name == "properties"));
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    properties.map(read).collect()
}

/// All settings that a file shows. A comment begins with `# `, a setting with `#` alone.
fn shown(file: &str, text: &str) -> Vec<Shown> {
    let mut settings = Vec::new();
    let mut is_example = false;
    for line in text.lines() {
        match line.strip_prefix('#') {
            None => is_example = false,
            Some(comment) if comment.is_empty() || comment.starts_with(' ') => {
                is_example |= comment.contains("Example");
            }
            Some(setting) => {
                let entry = parse_properties(setting.as_bytes(), file)
                    .unwrap()
                    .remove(0);
                settings.push(Shown {
                    key: entry.key,
                    value: entry.value,
                    is_example,
                    line: format!("{file}: {line}"),
                });
            }
        }
    }
    settings
}

fn all_shown() -> Vec<Shown> {
    let files = files();
    files
        .iter()
        .flat_map(|(file, text)| shown(file, text))
        .collect()
}

#[test]
fn nothing_is_set_where_nobody_set_it() {
    for (file, text) in files() {
        let set = parse_properties(text.as_bytes(), &file).unwrap();
        assert!(set.is_empty(), "{set:?}");
    }
}

#[test]
fn every_setting_that_is_shown_is_read_by_somebody_and_shows_its_default() {
    let registry = registry();
    for Shown {
        key,
        value,
        is_example,
        line,
    } in all_shown()
    {
        let spec = registry.find(&key);
        let spec = spec.unwrap_or_else(|| panic!("nobody reads this key: {line}"));
        if !is_example {
            assert_eq!(value, spec.default.clone().unwrap_or_default(), "{line}");
        }
    }
}

#[test]
fn every_key_is_shown_once() {
    let registry = registry();
    let shown = all_shown();
    let lines = |spec: &KeySpec| {
        let is_it = |shown: &&Shown| {
            registry
                .find(&shown.key)
                .is_some_and(|of| of.name == spec.name)
        };
        shown.iter().filter(is_it).count()
    };
    for spec in registry.iter() {
        let name = &spec.name;
        assert_eq!(lines(spec), 1, "the files in config/ must show {name} once");
    }
}

#[test]
fn every_value_that_is_shown_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = all_shown()
        .into_iter()
        .filter(|shown| !shown.value.is_empty());
    let text: String = settings
        .map(|Shown { key, value, .. }| format!("{key} = {value}\n"))
        .collect();
    assert!(text.lines().count() > 20, "{text}");
    fs::write(folder.path().join("shown.properties"), text).unwrap();
    let loaded = Config::load(Folder::named(folder.path()), Vec::new(), registry());
    if let Err(error) = loaded {
        panic!("{error}");
    }
}
