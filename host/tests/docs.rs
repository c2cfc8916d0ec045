//! The documentation says what is true, as far as a program can tell.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use belfry_host::config::{KeySpec, Registry, host_keys, parse_properties};
use belfry_plugin_api::manifest::Manifest;

/// Set, it has the generated parts of pages written instead of compared.
const WRITE: &str = "BELFRY_WRITE_DOCS";

/// The state folder that packages use.
const STATE: &str = "/var/lib/belfry";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(page: &str) -> String {
    fs::read_to_string(repository().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

fn manifests() -> Vec<Manifest> {
    let mut files: Vec<_> = fs::read_dir(repository().join("plugins"))
        .unwrap()
        .map(|folder| folder.unwrap().path().join("plugin.toml"))
        .collect();
    files.sort();
    let parse = |file: PathBuf| Manifest::parse(&fs::read(file).unwrap()).unwrap();
    files.into_iter().map(parse).collect()
}

/// The pages that people read.
fn pages() -> Vec<PathBuf> {
    let root = repository();
    let mut pages = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    for folder in ["docs", "docs/adr"] {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        pages.extend(entries.map(|entry| entry.unwrap().path()));
    }
    pages.retain(|page| page.extension().is_some_and(|kind| kind == "md") && page.exists());
    pages.sort();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

/// A fenced block of a page.
struct Block {
    language: String,
    text: String,
}

/// The fenced blocks of a page, and what stands outside of them.
fn parts(page: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose) = (Vec::new(), String::new());
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let language = language.trim().to_owned();
                let text = String::new();
                open = Some(Block { language, text });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => writeln!(block.text, "{line}").unwrap(),
            (None, None) => writeln!(prose, "{line}").unwrap(),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    (blocks, prose)
}

fn key_table(keys: &[KeySpec]) -> String {
    let mut table =
        "| key | allowed | default | what it does |\n| --- | --- | --- | --- |\n".to_owned();
    for key in keys {
        let name = key.name.replace(".*.", ".ID.");
        let default = match &key.default {
            Some(default) => format!("`{default}`"),
            None => "none".to_owned(),
        };
        let secret = if key.secret { " Never shown." } else { "" };
        let (allowed, help) = (key.kind.allowed(), &key.help);
        writeln!(
            table,
            "| `{name}` | {allowed} | {default} | {help}{secret} |"
        )
        .unwrap();
    }
    table
}

/// Puts a table between its two marks.
fn with_table(page: &str, name: &str, table: &str) -> String {
    let mark = format!("<!-- keys of {name} -->\n");
    let (before, rest) = page
        .split_once(&mark)
        .unwrap_or_else(|| panic!("the page has no line {mark:?}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{mark}{table}<!-- end -->{after}")
}

#[test]
fn every_key_is_on_its_page_as_it_is_declared() {
    const PAGE: &str = "docs/configuration.md";
    let page = read(PAGE);
    let host = host_keys(Path::new(STATE));
    let mut wanted = with_table(&page, "the host", &key_table(&host));
    for manifest in manifests() {
        let own = manifest.keys.iter().filter(|key| !key.shared);
        let own: Vec<KeySpec> = own.map(KeySpec::from).collect();
        wanted = with_table(&wanted, manifest.id.as_str(), &key_table(&own));
    }
    if std::env::var_os(WRITE).is_some() {
        fs::write(repository().join(PAGE), wanted).unwrap();
    } else {
        assert!(
            page == wanted,
            "{PAGE} is out of date: run this test with {WRITE}=1 to write it"
        );
    }
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let (_, prose) = parts(&fs::read_to_string(&page).unwrap());
        for link in prose.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let anchors = anchors(&fs::read_to_string(&target).unwrap());
                assert!(
                    anchors.iter().any(|other| other == anchor),
                    "{}: {link}",
                    page.display()
                );
            }
        }
    }
}

/// The names by which the headings of a page can be linked to.
fn anchors(page: &str) -> Vec<String> {
    let (_, prose) = parts(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The commands that a program's help lists.
fn commands(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_belfryctl"))
        .args(arguments)
        .arg("-h")
        .output();
    let help = String::from_utf8(output.unwrap().stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| line.starts_with("  "));
    let words = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let words = words.filter(|word| !word.is_empty() && *word != "help");
    words.map(str::to_owned).collect()
}

#[test]
fn the_operators_guide_names_every_command() {
    let guide = read("docs/operator-guide.md");
    let groups = commands(&[]);
    assert!(groups.len() > 5, "{groups:?}");
    for group in groups {
        let verbs = commands(&[&group]);
        let full: Vec<_> = match verbs.as_slice() {
            [] => vec![format!("`{group}`")],
            verbs => verbs
                .iter()
                .map(|verb| format!("`{group} {verb}"))
                .collect(),
        };
        for command in full {
            assert!(
                guide.contains(&command),
                "{command}` is not in the operator's guide"
            );
        }
    }
}

#[test]
fn every_setting_in_the_documentation_is_one() {
    let mut registry = Registry::new(host_keys(Path::new(STATE)));
    for manifest in manifests() {
        registry.add(&manifest.id, &manifest.keys).unwrap();
    }
    for page in pages() {
        let (blocks, _) = parts(&fs::read_to_string(&page).unwrap());
        for block in blocks.iter().filter(|block| block.language == "properties") {
            for entry in parse_properties(block.text.as_bytes(), "the block").unwrap() {
                assert!(
                    registry.find(&entry.key).is_some(),
                    "{}: {}",
                    page.display(),
                    entry.key
                );
            }
        }
    }
}

#[test]
fn the_plugin_authors_guide_shows_the_example_as_it_is() {
    let guide = read("docs/plugin-guide.md");
    let example = read("plugin-api/examples/hello/src/lib.rs");
    let (shown, _tests) = example.split_once("\n#[cfg(test)]").unwrap();
    assert!(
        guide.contains(shown.trim_end()),
        "the guide's plugin is not the example"
    );
    let manifest = read("plugin-api/examples/hello/plugin.toml");
    assert!(
        guide.contains(manifest.trim_end()),
        "the guide's manifest is not the example's"
    );
}

#[test]
fn every_manifest_in_the_plugin_authors_guide_is_one() {
    let (blocks, _) = parts(&read("docs/plugin-guide.md"));
    let manifests = blocks
        .iter()
        .filter(|block| block.text.starts_with("id = "));
    let mut count = 0;
    for block in manifests {
        if let Err(error) = Manifest::parse(block.text.as_bytes()) {
            panic!("{error}\n{}", block.text);
        }
        count += 1;
    }
    assert!(count >= 2);
}
