//! What can be done once logged in.

use std::fmt;
use std::time::Duration;

use async_imap::Session;
use imap_proto::{MailboxDatum, RequestId, Response, Status};

use crate::connect::{failure, lost};
use crate::deadline::within;
use crate::wire::Wire;
use crate::{Capabilities, Error};

/// How long the server may take for one command.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a goodbye may take.
pub const LOGOUT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest value that is sent as a quoted string. RFC 3501 sets no limit, old servers have one for
/// a line.
const MAX_QUOTED_BYTES: usize = 1_000;

/// A session in which a user is logged in and no mailbox is selected.
///
/// After [`Error::Protocol`] or [`Error::Unavailable`] it is of no more use. Dropping it closes
/// the connection.
pub struct ImapSession {
    session: Session<Wire>,
}

/// How a command went on.
enum Step {
    /// The server waits for the rest of the command.
    Continue,
    /// The command is done.
    Done,
}

impl ImapSession {
    pub(crate) fn new(session: Session<Wire>) -> Self {
        Self { session }
    }

    /// What the server can do for this user; more than before the login.
    ///
    /// # Errors
    /// Where the server refuses, is away, or does not speak IMAP.
    pub async fn capabilities(&mut self) -> Result<Capabilities, Error> {
        within(COMMAND_TIMEOUT, "CAPABILITY", async {
            let mut capabilities = Capabilities::default();
            let tag = self.send("CAPABILITY").await?;
            let step = self.answer(&tag, |response| {
                if let Response::Capabilities(list) = response {
                    capabilities.add(list);
                }
            });
            done(step.await?)?;
            Ok(capabilities)
        })
        .await
    }

    /// Sets an annotation (RFC 5464, section 4.3); `None` removes it. The mailbox `""` is the
    /// server itself; others are named as IMAP writes them, in modified UTF-7.
    ///
    /// # Errors
    /// [`Error::Refused`] where the server does not have, want or allow it: without an attribute
    /// dictionary Dovecot says `[CANNOT]`, a value that is too large is `[METADATA]`.
    pub async fn set_metadata(
        &mut self,
        mailbox: &str,
        entry: &str,
        value: Option<&str>,
    ) -> Result<(), Error> {
        let head = format!("SETMETADATA {} ({}", quoted(mailbox)?, quoted(entry)?);
        within(COMMAND_TIMEOUT, "SETMETADATA", async {
            let step = match value {
                None => self.run(&format!("{head} NIL)")).await?,
                Some(value) if fits_quotes(value) => {
                    self.run(&format!("{head} {})", quoted(value)?)).await?
                }
                Some(value) if value.contains('\0') => return Err(unsayable()),
                Some(value) => {
                    let tag = self.send(&format!("{head} {{{}}}", value.len())).await?;
                    match self.answer(&tag, |_| ()).await? {
                        Step::Done => Step::Done,
                        Step::Continue => {
                            let rest = self.session.run_command_untagged(format!("{value})")).await;
                            rest.map_err(|error| self.failure(&error))?;
                            self.answer(&tag, |_| ()).await?
                        }
                    }
                }
            };
            done(step)
        })
        .await
    }

    /// Reads an annotation of the server itself (RFC 5464, section 4.2); `None` where there is none.
    ///
    /// Not of a mailbox: imap-proto reads the answer only where the name is in quotes, and Dovecot
    /// leaves them away. A value that comes as a quoted string is returned with its backslashes;
    /// Dovecot sends literals.
    ///
    /// # Errors
    /// As [`ImapSession::set_metadata`].
    pub async fn get_server_metadata(&mut self, entry: &str) -> Result<Option<String>, Error> {
        let command = format!("GETMETADATA \"\" {}", quoted(entry)?);
        within(COMMAND_TIMEOUT, "GETMETADATA", async {
            let mut found = None;
            let tag = self.send(&command).await?;
            let step = self.answer(&tag, |response| {
                if let Response::MailboxData(MailboxDatum::MetadataSolicited { values, .. }) =
                    response
                {
                    found = values
                        .iter()
                        .find(|value| value.entry.eq_ignore_ascii_case(entry))
                        .and_then(|value| value.value.clone())
                        .or(found.take());
                }
            });
            done(step.await?)?;
            Ok(found)
        })
        .await
    }

    /// Says goodbye and closes the connection. What goes wrong with that matters to nobody.
    pub async fn logout(mut self) {
        let goodbye = async {
            self.session
                .logout()
                .await
                .map_err(|error| self.failure(&error))
        };
        let _ = within(LOGOUT_TIMEOUT, "LOGOUT", goodbye).await;
    }

    async fn run(&mut self, command: &str) -> Result<Step, Error> {
        let tag = self.send(command).await?;
        self.answer(&tag, |_| ()).await
    }

    async fn send(&mut self, command: &str) -> Result<RequestId, Error> {
        let sent = self.session.run_command(command).await;
        sent.map_err(|error| self.failure(&error))
    }

    /// Reads until the command with this tag is done or must go on; shows what comes before.
    async fn answer(
        &mut self,
        tag: &RequestId,
        mut show: impl FnMut(&Response<'_>),
    ) -> Result<Step, Error> {
        loop {
            let data = match self.session.read_response().await {
                Ok(Some(data)) => data,
                Ok(None) => return Err(lost(self.session.get_ref(), Error::of_command)),
                Err(error) => return Err(self.failure(&error.into())),
            };
            match data.parsed() {
                Response::Continue(_) => return Ok(Step::Continue),
                Response::Done {
                    tag: of,
                    status: Status::Ok,
                    ..
                } if of == tag => return Ok(Step::Done),
                Response::Done { tag: of, .. } if of == tag => {
                    return Err(lost(self.session.get_ref(), Error::of_command));
                }
                other => show(other),
            }
        }
    }

    fn failure(&self, error: &async_imap::error::Error) -> Error {
        failure(error, self.session.get_ref(), Error::of_command)
    }
}

impl fmt::Debug for ImapSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapSession").finish_non_exhaustive()
    }
}

fn done(step: Step) -> Result<(), Error> {
    match step {
        Step::Done => Ok(()),
        Step::Continue => Err(Error::Protocol(
            "the server waits for more than the command has".to_owned(),
        )),
    }
}

/// Whether a value can be a quoted string (RFC 3501, section 4.3) with every server.
fn fits_quotes(value: &str) -> bool {
    value.len() <= MAX_QUOTED_BYTES && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn quoted(value: &str) -> Result<String, Error> {
    if fits_quotes(value) {
        Ok(format!(
            "\"{}\"",
            value.replace('\\', r"\\").replace('"', "\\\"")
        ))
    } else {
        Err(unsayable())
    }
}

fn unsayable() -> Error {
    Error::Protocol("a name or value holds characters that IMAP cannot carry".to_owned())
}
