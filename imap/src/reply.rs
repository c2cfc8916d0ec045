//! The line by which a server refuses.

/// How much of a server's text an error keeps, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// A refusal (RFC 3501, section 7.1): `NO` or `BAD` to a command, or `BYE` to everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// `NO`, `BAD` or `BYE`.
    pub(crate) status: String,
    /// The response code in upper case and without arguments. A code that the server spells in
    /// two words, as `METADATA TOOMANY`, is the first of them.
    pub(crate) code: Option<String>,
    /// The text for people, on one line and cut short.
    pub(crate) text: String,
}

impl Reply {
    /// The last refusal in what a server sent; a command's own counts more than a `BYE` after it.
    ///
    /// async-imap gives refusals as text that is made for reading and knows few of the codes, so
    /// they are taken from the lines themselves.
    pub(crate) fn last_of(transcript: &[u8]) -> Option<Self> {
        let lines = || {
            transcript
                .rsplit(|byte| *byte == b'\n')
                .map(String::from_utf8_lossy)
        };
        lines()
            .find_map(|line| Self::parse(&line).filter(|reply| reply.status != "BYE"))
            .or_else(|| lines().find_map(|line| Self::parse(&line)))
    }

    fn parse(line: &str) -> Option<Self> {
        let (tag, rest) = line.trim_end().split_once(' ')?;
        let (status, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = status.to_ascii_uppercase();
        let refuses = match status.as_str() {
            "NO" | "BAD" => tag != "*",
            "BYE" => tag == "*",
            _ => false,
        };
        if !refuses {
            return None;
        }
        let coded = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (code, text) = match coded {
            Some((code, text)) => (code.split(' ').next(), text),
            None => (None, rest),
        };
        Some(Self {
            status,
            code: code.map(str::to_ascii_uppercase),
            text: harmless(text),
        })
    }

    /// The same reply without the secret, should a server repeat what it was sent.
    pub(crate) fn without(mut self, secrets: &[&str]) -> Self {
        if secrets.iter().any(|secret| self.text.contains(secret)) {
            "(the server's text is withheld: it holds the password)".clone_into(&mut self.text);
        }
        self
    }
}

fn harmless(text: &str) -> String {
    let text = text.trim();
    let cut: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_TEXT_CHARS)
        .collect();
    if cut.is_empty() {
        "(the server gave no reason)".to_owned()
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: &str, code: Option<&str>, text: &str) -> Option<Reply> {
        Some(Reply {
            status: status.to_owned(),
            code: code.map(str::to_owned),
            text: text.to_owned(),
        })
    }

    #[test]
    fn code_and_text_are_taken_from_the_line() {
        let transcript = b"* OK hi\r\nA0001 NO [authenticationfailed] No, thanks.\r\n";
        assert_eq!(
            Reply::last_of(transcript),
            reply("NO", Some("AUTHENTICATIONFAILED"), "No, thanks.")
        );
        let transcript = b"A0002 NO [METADATA MAXSIZE 7] too big\r\n";
        assert_eq!(
            Reply::last_of(transcript),
            reply("NO", Some("METADATA"), "too big")
        );
    }

    #[test]
    fn the_answer_to_the_command_counts_more_than_a_goodbye_after_it() {
        let transcript = b"A0001 NO [LIMIT] enough\r\n* BYE so long\r\n";
        assert_eq!(
            Reply::last_of(transcript),
            reply("NO", Some("LIMIT"), "enough")
        );
        let transcript = b"* BYE [UNAVAILABLE] out of memory\r\n";
        assert_eq!(
            Reply::last_of(transcript),
            reply("BYE", Some("UNAVAILABLE"), "out of memory")
        );
    }

    #[test]
    fn warnings_and_success_are_no_refusal() {
        for transcript in [
            "* NO disk nearly full\r\n",
            "A1 OK done\r\n",
            "",
            "\r\n",
            "NO",
        ] {
            assert_eq!(
                Reply::last_of(transcript.as_bytes()),
                None,
                "{transcript:?}"
            );
        }
    }

    #[test]
    fn text_is_one_short_harmless_line() {
        let long = format!("A1 NO \u{1b}[31m{}\r\n", "x".repeat(10_000));
        let text = Reply::last_of(long.as_bytes()).unwrap().text;
        assert_eq!(text.chars().count(), MAX_TEXT_CHARS);
        assert!(!text.contains(char::is_control));
        assert_eq!(
            Reply::last_of(b"A1 NO\r\n"),
            reply("NO", None, "(the server gave no reason)")
        );
    }

    #[test]
    fn a_server_that_repeats_the_password_is_not_quoted() {
        let reply = Reply::last_of(b"A1 BAD unknown: LOGIN a hunter2\r\n").unwrap();
        assert!(!reply.without(&["hunter2"]).text.contains("hunter2"));
    }
}
