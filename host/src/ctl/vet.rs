//! Vetting a file without a host.

use std::path::Path;

use belfry_plugin_api::manifest::{Manifest, Requirement, Surface};
use serde::Serialize;

use super::failure::Failure;
use super::output::{Output, facts};
use super::plugins::service_table;
use super::table::Table;
use crate::bundle::vet::{self, Vetted};

pub(super) fn vet(file: &Path, output: &Output) -> Result<(), Failure> {
    match vet::vet(file) {
        Ok(vetted) => output.answer(&Report::of(&vetted), description),
        Err(fault) => Err(Failure::Refused(format!(
            "{} was refused: {fault}",
            file.display()
        ))),
    }
}

/// What is told of an artifact that passed.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    /// The version of plugin-api.
    built_with: String,
}

impl<'a> Report<'a> {
    fn of(vetted: &'a Vetted) -> Self {
        Self {
            manifest: &vetted.manifest,
            built_with: vetted.built_with.to_string(),
        }
    }
}

fn description(report: &Report<'_>) -> String {
    let manifest = report.manifest;
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let requirements: Vec<_> = manifest.requirements.iter().map(requirement).collect();
    let mut description = facts([
        ("id", Some(manifest.id.to_string())),
        ("version", Some(manifest.version.to_string())),
        ("plugin-api", Some(manifest.api.to_string())),
        (
            "built with",
            Some(format!("plugin-api {}", report.built_with)),
        ),
        ("description", text(&manifest.description)),
        ("vendor", text(&manifest.vendor)),
        ("licence", text(&manifest.license)),
        ("isolation", Some(manifest.isolation.to_string())),
        ("start level", Some(manifest.start_level.to_string())),
        (
            "memory limit",
            Some(format!("{} MiB", manifest.memory_limit_mib)),
        ),
        ("window", Some(manifest.window.to_string())),
        ("exclusive", manifest.exclusive.then(|| "yes".to_owned())),
        ("requires", text(&requirements.join(", "))),
    ]);
    description.push('\n');
    description.push_str(&service_table(manifest.services.iter()));
    if !manifest.routes.is_empty() {
        let mut routes = Table::new(["ROUTE", "ADDRESS", "METHODS", "PATHS"]);
        for route in &manifest.routes {
            let surface = match route.surface {
                Surface::Internal => "internal",
                Surface::Public => "public",
            };
            let (methods, paths) = (route.methods.join(" "), route.paths.join(" "));
            routes.row([route.name.clone(), surface.to_owned(), methods, paths]);
        }
        description.push('\n');
        description.push_str(&routes.to_string());
    }
    if !manifest.keys.is_empty() {
        let mut keys = Table::new(["PROPERTY", "DEFAULT", "HELP"]);
        for key in &manifest.keys {
            let default = key.default.clone().filter(|_| !key.secret);
            keys.row([
                key.name.clone(),
                default.unwrap_or_default(),
                key.help.clone(),
            ]);
        }
        description.push('\n');
        description.push_str(&keys.to_string());
    }
    description
}

fn requirement(requirement: &Requirement) -> String {
    let mut text = requirement.kind.to_string();
    if let Some(name) = &requirement.name {
        text.push(' ');
        text.push_str(name);
    }
    if requirement.optional {
        text.push_str(" (optional)");
    }
    text
}
