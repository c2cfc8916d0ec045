//! What can go wrong with a request, and the one place that tells the kinds apart.

use std::io;
use std::time::Duration;

use h2::Reason;

/// Why a request has no response. The kinds differ in what the caller may do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The provider did not look at the request: it may be sent again as if it were new.
    #[error("the provider did not process the request ({reason})")]
    Unprocessed {
        /// What happened.
        reason: String,
    },
    /// The provider may or may not have acted on the request: it must be sent again with the same
    /// identifiers.
    #[error("the connection was lost while the provider may have processed the request ({reason})")]
    Ambiguous {
        /// What happened.
        reason: String,
    },
    /// There is no connection, and none can be made now. The request was not sent.
    #[error("{fault}; the next attempt is in {} s", retry_after.as_secs().max(1))]
    CannotConnect {
        /// What is in the way.
        fault: ConnectFault,
        /// How long the pool holds off before it tries to connect again.
        retry_after: Duration,
    },
    /// The request was sent and no response came in time; like [`Failure::Ambiguous`].
    #[error("the provider did not answer within {} s", after.as_secs())]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
}

/// What stands between this machine and a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFault {
    /// The name has no address.
    #[error(
        "the name of {origin} does not resolve ({reason}); check the name and this machine's DNS"
    )]
    Resolve {
        /// The provider.
        origin: String,
        /// What the resolver said.
        reason: String,
    },
    /// No address of the provider takes a TCP connection.
    #[error("{origin} cannot be reached ({reason}); check that the firewall lets this port out")]
    Unreachable {
        /// The provider.
        origin: String,
        /// What the last address answered.
        reason: String,
    },
    /// The provider's certificate is not one that is trusted here, or TLS failed otherwise.
    #[error(
        "TLS with {origin} failed ({reason}); check the trusted certificates and this machine's clock"
    )]
    Tls {
        /// The provider.
        origin: String,
        /// What TLS said.
        reason: String,
    },
    /// The provider ended TLS with an alert: in practice, it does not accept our certificate.
    #[error("{origin} refused the TLS connection ({reason}); check the client certificate")]
    RefusedByAlert {
        /// The provider.
        origin: String,
        /// The alert (RFC 8446, section 6).
        reason: String,
    },
    /// What answers there is not a provider.
    #[error("{origin} does not speak HTTP/2 ({reason}); check that the address is the provider's")]
    NotHttp2 {
        /// The provider.
        origin: String,
        /// How it showed.
        reason: String,
    },
    /// Connecting took too long.
    #[error("{origin} did not complete {step} within {} s", after.as_secs())]
    TimedOut {
        /// The provider.
        origin: String,
        /// What was being waited for.
        step: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The last connection ended before a single request was answered on it.
    #[error("{origin} accepts connections but answers nothing on them ({reason})")]
    Unanswered {
        /// The provider.
        origin: String,
        /// How the last one ended.
        reason: String,
    },
    /// The pool is being dropped.
    #[error("the connections to {origin} are being closed")]
    ShuttingDown {
        /// The provider.
        origin: String,
    },
}

/// The rule by which a failed stream is sent again silently or reported (RFC 9113, sections 6.8
/// and 8.7).
///
/// `h2` gives the error of a GOAWAY to the streams above its last stream identifier only, and to
/// requests that were never sent; a stream at or below it that is cut off ends with an I/O error.
pub(super) fn classify(error: &h2::Error) -> Failure {
    let reason = error.to_string();
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    if error.is_remote() && (error.is_go_away() || refused) {
        Failure::Unprocessed { reason }
    } else {
        Failure::Ambiguous { reason }
    }
}

/// Whether the error ends the connection, not the one stream.
pub(super) fn ends_connection(error: &h2::Error) -> bool {
    error.is_go_away() || error.is_io()
}

/// Names an error that came up while TLS or HTTP/2 were being set up. `certified`: whether we show
/// a certificate, which an alert then is about.
pub(super) fn setup_fault(origin: String, certified: bool, error: &io::Error) -> ConnectFault {
    let reason = error.to_string();
    let alert = match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::AlertReceived(_)) => true,
        Some(_) => return ConnectFault::Tls { origin, reason },
        // With TLS 1.3 the alert arrives after our side of the handshake is done, through `h2`,
        // which keeps only the text of an error.
        None => reason.contains("received fatal alert"),
    };
    match (alert, certified) {
        (true, true) => ConnectFault::RefusedByAlert { origin, reason },
        (true, false) => ConnectFault::Tls { origin, reason },
        (false, _) => ConnectFault::NotHttp2 { origin, reason },
    }
}

/// Names the end of a connection on which nothing was answered.
pub(super) fn unanswered_fault(origin: String, certified: bool, error: &h2::Error) -> ConnectFault {
    let io = error.get_io();
    match io.map(|error| setup_fault(origin.clone(), certified, error)) {
        Some(refused @ ConnectFault::RefusedByAlert { .. }) => refused,
        _ => ConnectFault::Unanswered {
            origin,
            reason: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> String {
        "https://provider".to_owned()
    }

    #[test]
    fn an_alert_is_a_refusal_whether_it_comes_typed_or_as_text() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let text = io::Error::new(io::ErrorKind::InvalidData, alert.to_string());
        let typed = io::Error::new(io::ErrorKind::InvalidData, alert);
        for error in [typed, text] {
            let fault = setup_fault(origin(), true, &error);
            assert!(
                matches!(fault, ConnectFault::RefusedByAlert { .. }),
                "{fault}"
            );
            let fault = setup_fault(origin(), false, &error);
            assert!(matches!(fault, ConnectFault::Tls { .. }), "{fault}");
        }
    }

    #[test]
    fn an_untrusted_certificate_is_a_fault_of_tls() {
        let cause = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let fault = setup_fault(origin(), true, &io::Error::other(cause));
        assert!(matches!(fault, ConnectFault::Tls { .. }), "{fault}");
    }

    #[test]
    fn a_locally_made_error_leaves_open_whether_the_request_was_processed() {
        let failure = classify(&h2::Error::from(Reason::REFUSED_STREAM));
        assert!(matches!(failure, Failure::Ambiguous { .. }), "{failure}");
    }
}
