//! A plugin of the time of plugin-api 0.1.0: tells what it is told, and writes down what it hears.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use belfry_plugin_api::event::{Event, Topic};
use belfry_plugin_api::frame::{Handled, Report};
use belfry_plugin_api::{
    Config, Error, EventHandler, Host, Listener, Plugin, Result, export_plugin,
};
use tokio::io::AsyncWriteExt;

/// The topic of what it tells.
const TOLD: &str = "org/belfry/elder/told";

struct Elder {
    greeting: String,
    /// In the data folder: a line for each event, and a last one when it ends.
    diary: PathBuf,
}

#[derive(serde::Deserialize)]
struct Body {
    text: String,
}

impl Plugin for Elder {
    async fn start(host: Host, config: Config) -> Result<Self> {
        tracing::info!(generation = host.generation(), "the elder is awake");
        Ok(Self {
            greeting: config.text("elder.greeting").unwrap_or_default().to_owned(),
            diary: host.data_folder().join("diary"),
        })
    }

    async fn stop(&self) {
        if let Err(error) = self.note("stopped").await {
            tracing::error!(%error, "the last line of the diary is missing");
        }
    }
}

impl Listener for Elder {
    async fn report(&self, report: Report) -> Result<Vec<Event>> {
        let body: Body = report.json()?;
        let topic: Topic = TOLD.parse().map_err(Error::permanent)?;
        Ok(vec![Event::new(topic).with("text", body.text)])
    }
}

impl EventHandler for Elder {
    async fn handle(&self, event: Event) -> Result<Handled> {
        let text = event.text("text").unwrap_or_default();
        self.note(&format!("{}: {text}", self.greeting)).await?;
        tracing::debug!(text, "written down");
        Ok(Handled::default())
    }
}

impl Elder {
    async fn note(&self, line: &str) -> Result<()> {
        let mut options = tokio::fs::OpenOptions::new();
        let mut diary = options.create(true).append(true).open(&self.diary).await?;
        diary.write_all(format!("{line}\n").as_bytes()).await?;
        diary.flush().await?;
        Ok(())
    }
}

export_plugin!(Elder: Listener, EventHandler);
