//! Devices' tokens, as far as their form can be checked here.

use belfry_plugin_api::secret::Secret;

/// The longest token, in bytes. Those of FCM have some 160 today and no documented limit.
const MAX_TOKEN_BYTES: usize = 4096;

/// Bytes that an APNs token may have. Today's have 32; Apple ("Registering your app with APNs")
/// asks not to rely on that.
const APNS_TOKEN_BYTES: std::ops::RangeInclusive<usize> = 32..=100;

/// A device's token in the one form in which it is stored. The error is the end of a sentence
/// that begins with "the token".
pub(super) fn parse(transport: &str, text: String) -> Result<Secret, &'static str> {
    match transport {
        "apns" => apns(text),
        _ if text.is_empty() || text.len() > MAX_TOKEN_BYTES => Err("has to have 1 to 4096 bytes"),
        _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("has to be of visible ASCII characters")
        }
        _ => Ok(Secret::from(text)),
    }
}

/// APNs takes hexadecimal digits in either case: one device must not be two.
fn apns(mut text: String) -> Result<Secret, &'static str> {
    let digits = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits || !APNS_TOKEN_BYTES.contains(&(text.len() / 2)) {
        return Err("of an APNs device has to be 64 to 200 hexadecimal digits");
    }
    text.make_ascii_lowercase();
    Ok(Secret::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apns_token_is_hexadecimal_and_one_device_in_either_case() {
        let token = "0123456789ABCDEF".repeat(4);
        let parsed = parse("apns", token.clone()).unwrap();
        assert_eq!(parsed, parse("apns", token.to_lowercase()).unwrap());
        assert!(parse("apns", "a".repeat(200)).is_ok());
        for wrong in [
            "",
            "abc",
            "a",
            &"a".repeat(62),
            &"a".repeat(65),
            &"a".repeat(202),
            &"x".repeat(64),
        ] {
            assert!(parse("apns", wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_tokens_are_visible_and_not_endless() {
        assert!(parse("fcm", "dQw4w9WgXcQ:APA91b-_".into()).is_ok());
        assert!(parse("fcm", "x".repeat(4096)).is_ok());
        for wrong in ["", "a b", "a\n", "ä", &"x".repeat(4097)] {
            assert!(parse("fcm", wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
