//! How long a certificate is valid.

use x509_parser::prelude::{FromDer, X509Certificate};

const DAY_S: i64 = 24 * 60 * 60;

/// How long before a certificate's end the operator is told.
const NOTICE_DAYS: i64 = 30;

/// The end of a certificate's validity (RFC 5280, section 4.1.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// In seconds since the epoch.
    at_s: i64,
    /// The day, in UTC, as `2027-01-31`.
    pub(crate) date: String,
}

/// How near a certificate's end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nearness {
    Far,
    Near,
    Past,
}

impl End {
    /// Reads it from a certificate in DER.
    ///
    /// # Errors
    ///
    /// It is not a certificate.
    pub(crate) fn of(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| format!("its certificate cannot be read: {error}"))?;
        let end = certificate.validity().not_after;
        Ok(Self {
            at_s: end.timestamp(),
            date: end.to_datetime().date().to_string(),
        })
    }

    /// How near the end is at a time in seconds since the epoch.
    pub(crate) fn nearness(&self, now_s: i64) -> Nearness {
        if now_s > self.at_s {
            Nearness::Past
        } else if now_s > self.at_s - NOTICE_DAYS * DAY_S {
            Nearness::Near
        } else {
            Nearness::Far
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_told_thirty_days_ahead() {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_after = rcgen::date_time_ymd(2027, 1, 31);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let end = End::of(certificate.der()).unwrap();
        assert_eq!(end.date, "2027-01-31");
        let days_before = |days: i64| end.nearness(end.at_s - days * DAY_S);
        assert_eq!(days_before(31), Nearness::Far);
        assert_eq!(days_before(30), Nearness::Far);
        assert_eq!(days_before(29), Nearness::Near);
        assert_eq!(days_before(0), Nearness::Near);
        assert_eq!(days_before(-1), Nearness::Past);
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        assert!(End::of(b"").is_err());
        assert!(End::of(b"\x30\x03\x02\x01\x00").is_err());
    }
}
