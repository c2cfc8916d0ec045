//! Tells of mail that the imaginary mail server "Hello" reports.

use belfry_plugin_api::{Config, Host, Listener, Plugin, Result, export_plugin};
use belfry_plugin_api::{event::Event, frame::Report, mail::NewMail};

struct Hello;

#[derive(serde::Deserialize)]
struct Body {
    validity: u32,
    uid: u32,
    from: String,
    about: String,
}

impl Plugin for Hello {
    async fn start(_host: Host, _config: Config) -> Result<Self> {
        tracing::info!("ready for mail");
        Ok(Self)
    }
}

impl Listener for Hello {
    async fn report(&self, report: Report) -> Result<Vec<Event>> {
        let body: Body = report.json()?;
        let mail = NewMail {
            folder: "INBOX".into(),
            uid_validity: body.validity,
            uid: body.uid,
            sender: Some(body.from),
            subject: Some(body.about),
            ..NewMail::default()
        };
        Ok(vec![mail.into_event(report.user()?)])
    }
}

export_plugin!(Hello: Listener);

#[cfg(test)]
mod tests;
