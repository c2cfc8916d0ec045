//! Every conversation ends: in time, and without taking the caller down.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::Error;

/// Waits for a conversation, at most for `limit`.
///
/// imap-proto panics on some malformed answers (metadata that is not UTF-8, a date that is none);
/// that is the server's fault and becomes [`Error::Protocol`]. The session is not used again
/// after it, so nothing half-changed is seen.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    conversation: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, AssertUnwindSafe(conversation).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(Error::Protocol(format!(
            "the server's answer during {what} cannot be read"
        ))),
        Err(_elapsed) => Err(Error::Unavailable(format!(
            "no answer within {} s during {what}",
            limit.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_given_up() {
        let silence = std::future::pending::<Result<(), Error>>();
        let result = within(Duration::from_secs(30), "login", silence).await;
        assert_eq!(
            result,
            Err(Error::Unavailable(
                "no answer within 30 s during login".into()
            ))
        );
    }

    #[tokio::test]
    async fn a_panic_of_the_parser_is_the_servers_fault() {
        let malformed = async { panic!("not UTF-8") };
        let result: Result<(), Error> = within(Duration::from_secs(30), "login", malformed).await;
        assert!(matches!(result, Err(Error::Protocol(_))));
    }
}
