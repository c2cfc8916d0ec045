//! The mail server: a private Dovecot, or what stands in for one where none is installed.

mod stand_in;

use anyhow::{Context as _, Result, ensure};
use belfry_tests::dovecot::Dovecot;
use belfry_tests::lmtp;

use self::stand_in::StandIn;

/// A mail.
pub(crate) struct Mail<'a> {
    pub(crate) from: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) body: &'a str,
}

/// A mail server with one mailbox.
pub(crate) enum MailServer {
    Dovecot(Box<Dovecot>),
    StandIn(StandIn),
}

impl MailServer {
    /// Starts Dovecot, if it is installed and wanted.
    pub(crate) async fn start(login: &str, password: &str, stand_in: bool) -> Result<Self> {
        if stand_in || !Dovecot::is_installed() {
            return Ok(Self::StandIn(StandIn::start(login, password).await?));
        }
        let dovecot = Dovecot::builder().users([(login, password)]);
        let dovecot = dovecot.user_from_metadata(true).start().await?;
        Ok(Self::Dovecot(Box::new(dovecot)))
    }

    /// What it is, for people.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Dovecot(_) => "Dovecot",
            Self::StandIn(_) => "a stand-in for Dovecot",
        }
    }

    /// Where it speaks IMAP.
    pub(crate) fn imap_url(&self) -> String {
        match self {
            Self::Dovecot(dovecot) => dovecot.imap_url(),
            Self::StandIn(stand_in) => stand_in.imap_url(),
        }
    }

    /// Makes it report new mail to this URL.
    pub(crate) async fn report_to(&mut self, url: &str) -> Result<()> {
        match self {
            Self::Dovecot(dovecot) => dovecot.reconfigure(|wanted| wanted.driver_url(url)).await,
            Self::StandIn(stand_in) => stand_in.report_to(url),
        }
    }

    /// Delivers a mail; a mail server has reported it before it says that it has it.
    pub(crate) async fn deliver(&self, to: &str, mail: &Mail<'_>) -> Result<()> {
        match self {
            Self::Dovecot(dovecot) => {
                let message = lmtp::mail(mail.from, mail.subject, mail.body);
                let server = dovecot.lmtp_address();
                let replies = lmtp::deliver(server, "bob@example.org", &[to], &message).await?;
                let reply = replies.first().context("LMTP gave no reply")?;
                ensure!(
                    reply.is_success(),
                    "LMTP refused: {} {}",
                    reply.code,
                    reply.text
                );
                Ok(())
            }
            Self::StandIn(stand_in) => stand_in.deliver(mail).await,
        }
    }
}
