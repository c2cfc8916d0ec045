//! How a session begins.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use belfry_plugin_api::secret::Secret;
use tokio::sync::Semaphore;

use super::core::Core;
use super::password::{CheckError, PasswordCheck};
use super::sessions::{Session, SessionToken, Throttle};
use super::uninterrupted::uninterrupted;
use crate::storage::{Login, ParseLoginError, StorageError};

/// Failed logins that one mail login may have within [`WINDOW`].
const FAILURES_BY_LOGIN: u32 = 10;

/// Failed logins that may come from one address within [`WINDOW`]; many phones share the address
/// of their carrier.
const FAILURES_BY_ADDRESS: u32 = 100;

/// How long failures count.
const WINDOW: Duration = Duration::from_secs(300);

/// Passwords that are checked at once; the mail server has other work to do.
const CHECKS_AT_ONCE: usize = 64;

/// How long a login waits for its turn to be checked.
const WAIT_FOR_CHECK: Duration = Duration::from_secs(10);

/// When a client may try again after the mail server, the database or the host had no room.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The longest name of a client, in bytes.
const MAX_CLIENT_BYTES: usize = 128;

/// What a client gives to begin a session.
#[derive(Debug)]
pub struct LoginAttempt {
    /// The mail login.
    pub login: String,
    /// The password of the mailbox.
    pub password: Secret,
    /// The client's name.
    pub client: String,
    /// Where the client is.
    pub address: IpAddr,
}

/// Why no session begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The login cannot be one.
    #[error(transparent)]
    Login(#[from] ParseLoginError),
    /// The client's name cannot be one.
    #[error("the client's name has to be 1 to {MAX_CLIENT_BYTES} visible ASCII characters")]
    Client,
    /// The mail server does not know this login with this password.
    #[error("login or password is wrong")]
    Wrong,
    /// The user may not use the mobile mail app.
    #[error("this account may not use the mobile mail app")]
    NoCapability,
    /// The mail server knows the login, the host does not, and users are not made known by
    /// themselves.
    #[error("this account is not known here; the operator has to add it")]
    NotKnown,
    /// Too many logins failed.
    #[error("too many logins failed; try again in {} s", wait.as_secs().max(1))]
    Throttled {
        /// When to try again.
        wait: Duration,
    },
    /// The mail server, the database or the host has no room at the moment. The sentence for the
    /// operator is in the log.
    #[error("logging in is not possible at the moment; try again in {} s", wait.as_secs())]
    Unavailable {
        /// When to try again.
        wait: Duration,
    },
}

/// Lets clients in.
pub(super) struct Door {
    core: Arc<Core>,
    checks: Arc<dyn PasswordCheck>,
    permits: Semaphore,
    by_login: Throttle<String>,
    by_address: Throttle<IpAddr>,
}

impl Door {
    pub(super) fn new(core: Arc<Core>, checks: Arc<dyn PasswordCheck>) -> Self {
        Self {
            core,
            checks,
            permits: Semaphore::new(CHECKS_AT_ONCE),
            by_login: Throttle::new(FAILURES_BY_LOGIN, WINDOW),
            by_address: Throttle::new(FAILURES_BY_ADDRESS, WINDOW),
        }
    }

    pub(super) async fn log_in(
        &self,
        attempt: LoginAttempt,
    ) -> Result<(SessionToken, Arc<Session>), LoginError> {
        let login: Login = attempt.login.parse()?;
        if !is_client_name(&attempt.client) {
            return Err(LoginError::Client);
        }
        let address = network(attempt.address);
        self.checked(&login, &attempt.password, address).await?;

        let settings = self.core.settings.current();
        if !settings.mobile_mail_app {
            return Err(LoginError::NoCapability);
        }
        let new_in = settings.auto_provision.then_some(settings.context);
        let core = Arc::clone(&self.core);
        let known = uninterrupted(async move { core.directory.log_in(&login, new_in).await });
        let user = known.await?.ok_or(LoginError::NotKnown)?;
        let limits = self.core.limits();
        let begun = self
            .core
            .sessions
            .begin(user, &attempt.client, attempt.password, limits);
        begun.map_err(|_| {
            unavailable(&format_args!(
                "there are {} sessions, as many as belfry.session.limit allows",
                limits.total
            ))
        })
    }

    /// Asks the mail server, unless too many were wrong before.
    async fn checked(
        &self,
        login: &Login,
        password: &Secret,
        address: IpAddr,
    ) -> Result<(), LoginError> {
        let key = login.key().to_owned();
        let throttled = |wait| {
            tracing::debug!(%address, "a login was held back: too many had failed");
            LoginError::Throttled { wait }
        };
        self.by_address.begin(&address).map_err(throttled)?;
        if let Err(wait) = self.by_login.begin(&key) {
            // The address did not fail: nobody was asked.
            self.by_address.take_back(&address);
            return Err(throttled(wait));
        }
        match self.ask(login, password).await {
            Ok(()) => {
                self.by_address.take_back(&address);
                self.by_login.forgive(&key);
                Ok(())
            }
            Err(CheckError::Wrong) => {
                tracing::info!(%address, "a login was refused by the mail server");
                Err(LoginError::Wrong)
            }
            Err(CheckError::Unavailable(reason)) => {
                self.by_address.take_back(&address);
                self.by_login.take_back(&key);
                Err(unavailable(&reason))
            }
        }
    }

    async fn ask(&self, login: &Login, password: &Secret) -> Result<(), CheckError> {
        let permit = tokio::time::timeout(WAIT_FOR_CHECK, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            let what = format!("{CHECKS_AT_ONCE} logins wait for the mail server already");
            return Err(CheckError::Unavailable(what));
        };
        let settings = self.core.settings.current();
        self.checks.check(&settings, login.as_str(), password).await
    }
}

fn unavailable(reason: &dyn std::fmt::Display) -> LoginError {
    tracing::warn!("a login was not possible: {reason}");
    LoginError::Unavailable { wait: RETRY_AFTER }
}

impl From<StorageError> for LoginError {
    fn from(error: StorageError) -> Self {
        unavailable(&error)
    }
}

fn is_client_name(name: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    (1..=MAX_CLIENT_BYTES).contains(&name.len()) && name.bytes().all(visible) && name.trim() == name
}

/// Whom an address belongs to: with IPv6 a customer has a whole /64 network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_is_one_network() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn client_names_are_short_and_visible() {
        assert!(is_client_name("open-xchange-mailapp"));
        let long = "x".repeat(129);
        for name in ["", " ", " app", "app\n", "äpp", &long] {
            assert!(!is_client_name(name), "{name:?}");
        }
    }
}
