//! From an endpoint to a session.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_imap::types::UnsolicitedResponse;
use async_imap::{Client, Session};
use imap_proto::{Response, ResponseCode, Status};
use rustls::CertificateError;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::deadline::within;
use crate::reply::Reply;
use crate::transport::Transport;
use crate::wire::Wire;
use crate::{Capabilities, Error, ImapEndpoint, ImapSession, Login, Security};

/// How long establishing the TCP connection may take, over all addresses of the host.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long everything up to the server's verdict on the password may take. Dovecot lets whoever
/// failed before wait for up to 17 s.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

impl ImapEndpoint {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`Error`] by its kinds; [`Error::Refused`] where the server declines for a reason that is
    /// neither a wrong password nor a passing state, such as `[CONTACTADMIN]`.
    pub async fn login(&self, login: &Login) -> Result<ImapSession, Error> {
        within(LOGIN_TIMEOUT, "login", self.open(login))
            .await
            .map(ImapSession::new)
    }

    async fn open(&self, login: &Login) -> Result<Session<Wire>, Error> {
        let tcp = match tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await {
            Ok(connected) => connected.map_err(|error| self.unavailable(&error))?,
            Err(_elapsed) => return Err(self.unavailable(&"no answer to the connection request")),
        };
        let mut transport = Transport::Plain(tcp);
        if self.security == Security::Tls {
            transport = self.secured(transport).await?;
        }
        let mut client = Client::new(Wire::new(transport));
        let mut offered = greeting(&mut client).await?;
        if self.security == Security::StartTls {
            if !known(&mut client, offered).await?.has("STARTTLS") {
                return Err(Error::Unavailable(format!(
                    "{self} offers no STARTTLS: use imaps://, or ?starttls=never if every network \
                     on the way to it is trusted"
                )));
            }
            let started = client.run_command_and_check_ok("STARTTLS", None).await;
            started.map_err(|error| failure(&error, client.get_ref(), Error::of_command))?;
            let transport = self.secured(client.into_inner().into_transport()).await?;
            client = Client::new(Wire::new(transport));
            offered = None;
        }
        let offered = known(&mut client, offered).await?;
        login.perform(client, &offered).await
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no fitting address");
        for address in tokio::net::lookup_host((self.host.as_str(), self.port)).await? {
            match self.connect_to(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(local) = self.local_address {
            socket.bind(SocketAddr::new(local, 0))?;
        }
        socket.connect(address).await
    }

    async fn secured(&self, transport: Transport) -> Result<Transport, Error> {
        match (transport, &self.tls) {
            (Transport::Plain(tcp), Some((config, name))) => {
                let connector = TlsConnector::from(config.clone());
                let stream = connector.connect(name.clone(), tcp).await;
                let stream = stream.map_err(|error| self.unavailable(&explained(&error)))?;
                Ok(Transport::Tls(Box::new(stream)))
            }
            (transport, _) => Ok(transport),
        }
    }

    fn unavailable(&self, reason: &dyn std::fmt::Display) -> Error {
        Error::Unavailable(format!("{self}: {reason}"))
    }
}

/// Why TLS failed, with what to do about it.
fn explained(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => format!(
            "{error}: if the certificate is from an authority of your own, name that authority's \
             certificate in the configuration as an additional CA"
        ),
        _ => format!("TLS failed: {error}"),
    }
}

/// Reads the greeting; most servers name their capabilities in it.
async fn greeting(client: &mut Client<Wire>) -> Result<Option<Capabilities>, Error> {
    let response = match client.read_response().await {
        Ok(Some(response)) => response,
        Ok(None) => return Err(lost(client.get_ref(), Error::of_command)),
        Err(error) => return Err(failure(&error.into(), client.get_ref(), Error::of_command)),
    };
    match response.parsed() {
        Response::Data {
            status: Status::Ok,
            outcome,
        } => Ok(match &outcome.code {
            Some(ResponseCode::Capabilities(list)) => {
                let mut capabilities = Capabilities::default();
                capabilities.add(list);
                Some(capabilities)
            }
            _ => None,
        }),
        Response::Data {
            status: Status::Bye,
            ..
        } => Err(lost(client.get_ref(), Error::of_login)),
        // RFC 3501, section 7.1.4: PREAUTH. Whose mail that would be, nobody said.
        _ => Err(Error::Protocol(
            "the server's greeting is not the one of an IMAP server that waits for a login".into(),
        )),
    }
}

/// The capabilities, asked for where they are not known yet.
async fn known(
    client: &mut Client<Wire>,
    capabilities: Option<Capabilities>,
) -> Result<Capabilities, Error> {
    if let Some(capabilities) = capabilities {
        return Ok(capabilities);
    }
    let (sender, answers) = async_channel::bounded(16);
    let asked = client.run_command_and_check_ok("CAPABILITY", Some(sender));
    let asked = asked.await;
    asked.map_err(|error| failure(&error, client.get_ref(), Error::of_command))?;
    let mut capabilities = Capabilities::default();
    while let Ok(answer) = answers.try_recv() {
        if let UnsolicitedResponse::Other(data) = answer
            && let Response::Capabilities(list) = data.parsed()
        {
            capabilities.add(list);
        }
    }
    Ok(capabilities)
}

/// What an error of async-imap means. `refused` says what a refusal means at this point.
pub(crate) fn failure(
    error: &async_imap::error::Error,
    wire: &Wire,
    refused: impl FnOnce(Reply) -> Error,
) -> Error {
    use async_imap::error::Error as Cause;
    match error {
        Cause::No(_) | Cause::Bad(_) | Cause::ConnectionLost => lost(wire, refused),
        Cause::Io(error) => match error.kind() {
            // The parser's own kind; its text quotes what was received.
            io::ErrorKind::Other => match wire.refusal() {
                Some(reply) if reply.status == "BYE" => refused(reply),
                _ => Error::Protocol("the server's answer is not IMAP".to_owned()),
            },
            io::ErrorKind::InvalidData => Error::Protocol(error.to_string()),
            _ => match wire.refusal() {
                Some(reply) => refused(reply),
                None => Error::Unavailable(error.to_string()),
            },
        },
        _ => Error::Protocol("the server's answer does not fit the command".to_owned()),
    }
}

/// What it means that the server refused, or closed the connection.
pub(crate) fn lost(wire: &Wire, refused: impl FnOnce(Reply) -> Error) -> Error {
    match wire.refusal() {
        Some(reply) => refused(reply),
        None => Error::Unavailable("it closed the connection without a reason".to_owned()),
    }
}
