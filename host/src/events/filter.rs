use std::str::FromStr;

use belfry_plugin_api::event::{Properties, Value};

/// The deepest nesting of a filter; real ones have two or three levels.
const MAX_DEPTH: usize = 32;

/// A filter over an event's properties, in the syntax of LDAP search filters (RFC 4515) as OSGi
/// uses it (Core 7, section 3.2.7): `(&(folder=INBOX)(!(unread>=100))(subject=*urgent*))`.
///
/// Names of properties are compared without regard to case. `=`, `>=`, `<=` compare as numbers
/// where the property is one; `~=` compares without regard to case and white space; `=*` asks
/// whether the property is there. A list matches where one of its values does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare(String, Test),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Present,
    Equal(String),
    Approximate(String),
    AtLeast(String),
    AtMost(String),
    /// The parts between the wildcards; the first and the last one are anchored.
    Like(Vec<String>),
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {at}")]
pub struct ParseFilterError {
    what: &'static str,
    at: usize,
}

impl Filter {
    /// Whether the properties pass.
    pub fn matches(&self, properties: &Properties) -> bool {
        self.0.matches(properties)
    }
}

impl Node {
    fn matches(&self, properties: &Properties) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.matches(properties)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(properties)),
            Self::Not(node) => !node.matches(properties),
            Self::Compare(name, test) => {
                let exact = properties.get(name);
                let value = exact.or_else(|| {
                    let mut all = properties.iter();
                    all.find(|(other, _)| other.eq_ignore_ascii_case(name))
                        .map(|(_, value)| value)
                });
                value.is_some_and(|value| test.passes(value))
            }
        }
    }
}

impl Test {
    fn passes(&self, value: &Value) -> bool {
        if let Value::List(values) = value {
            return matches!(self, Self::Present) || values.iter().any(|one| self.passes(one));
        }
        let order = |wanted: &str| match value {
            Value::Integer(number) => wanted
                .trim()
                .parse()
                .ok()
                .map(|wanted: i64| number.cmp(&wanted)),
            other => Some(other.to_string().as_str().cmp(wanted)),
        };
        match self {
            Self::Present => true,
            Self::Equal(wanted) => order(wanted).is_some_and(std::cmp::Ordering::is_eq),
            Self::AtLeast(wanted) => order(wanted).is_some_and(std::cmp::Ordering::is_ge),
            Self::AtMost(wanted) => order(wanted).is_some_and(std::cmp::Ordering::is_le),
            Self::Approximate(wanted) => folded(&value.to_string()) == folded(wanted),
            Self::Like(parts) => like(&value.to_string(), parts),
        }
    }
}

fn folded(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

fn like(text: &str, parts: &[String]) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

impl FromStr for Filter {
    type Err = ParseFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parser = Parser { text, at: 0 };
        let node = parser.node(0)?;
        parser.space();
        if parser.at == text.len() {
            Ok(Self(node))
        } else {
            Err(parser.error("something follows the filter"))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn error(&self, what: &'static str) -> ParseFilterError {
        let at = self.text[..self.at].chars().count() + 1;
        ParseFilterError { what, at }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    fn expect(&mut self, wanted: char, what: &'static str) -> Result<(), ParseFilterError> {
        self.space();
        if self.peek() == Some(wanted) {
            self.next();
            Ok(())
        } else {
            Err(self.error(what))
        }
    }

    fn node(&mut self, depth: usize) -> Result<Node, ParseFilterError> {
        if depth > MAX_DEPTH {
            return Err(self.error("the filter is nested too deeply"));
        }
        self.expect('(', "'(' is missing")?;
        self.space();
        let node = match self.peek() {
            Some('&') => Node::And(self.nodes(depth)?),
            Some('|') => Node::Or(self.nodes(depth)?),
            Some('!') => {
                self.next();
                Node::Not(Box::new(self.node(depth + 1)?))
            }
            _ => self.comparison()?,
        };
        self.expect(')', "')' is missing")?;
        Ok(node)
    }

    fn nodes(&mut self, depth: usize) -> Result<Vec<Node>, ParseFilterError> {
        self.next();
        let mut nodes = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some('(') => nodes.push(self.node(depth + 1)?),
                _ if nodes.is_empty() => return Err(self.error("a filter is missing")),
                _ => return Ok(nodes),
            }
        }
    }

    fn comparison(&mut self) -> Result<Node, ParseFilterError> {
        let start = self.at;
        while self.peek().is_some_and(|c| !"=<>~()".contains(c)) {
            self.next();
        }
        let name = self.text[start..self.at].trim().to_owned();
        if name.is_empty() {
            return Err(self.error("the name of a property is missing"));
        }
        let operator = self.next();
        if matches!(operator, Some('<' | '>' | '~')) {
            if self.peek() != Some('=') {
                return Err(self.error("'=' is missing"));
            }
            self.next();
        }
        let mut parts = self.value()?;
        let wildcards = parts.len() - 1;
        let first = parts.first_mut().map(std::mem::take).unwrap_or_default();
        let test = match (operator, wildcards) {
            (Some('='), 0) => Test::Equal(first),
            (Some('='), 1) if first.is_empty() && parts.iter().all(String::is_empty) => {
                Test::Present
            }
            (Some('='), _) => {
                parts[0] = first;
                Test::Like(parts)
            }
            (_, wildcards) if wildcards > 0 => return Err(self.error("'*' goes with '=' alone")),
            (Some('~'), _) => Test::Approximate(first),
            (Some('>'), _) => Test::AtLeast(first),
            (Some('<'), _) => Test::AtMost(first),
            _ => return Err(self.error("an operator is missing")),
        };
        Ok(Node::Compare(name, test))
    }

    /// The value, cut at its wildcards. `\` takes the next character as it is; RFC 4515's two hex
    /// digits behind it are understood, too.
    fn value(&mut self) -> Result<Vec<String>, ParseFilterError> {
        let mut parts = vec![String::new()];
        let push = |parts: &mut Vec<String>, c: char| {
            if let Some(part) = parts.last_mut() {
                part.push(c);
            }
        };
        loop {
            match self.peek() {
                None | Some(')') => return Ok(parts),
                Some('(') => return Err(self.error("'(' must be written \\28")),
                Some('*') => {
                    self.next();
                    parts.push(String::new());
                }
                Some('\\') => {
                    self.next();
                    let hex = self.text.as_bytes().get(self.at..self.at + 2);
                    let code = hex
                        .and_then(|digits| std::str::from_utf8(digits).ok())
                        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                        .filter(u8::is_ascii);
                    match code {
                        Some(code) => {
                            self.at += 2;
                            push(&mut parts, char::from(code));
                        }
                        None => match self.next() {
                            Some(c) => push(&mut parts, c),
                            None => return Err(self.error("a character is missing behind '\\'")),
                        },
                    }
                }
                Some(c) => {
                    self.next();
                    push(&mut parts, c);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn properties() -> Properties {
        let list = Value::List(vec!["a".into(), "b".into()]);
        Properties::from([
            ("folder".to_owned(), "INBOX".into()),
            ("unread".to_owned(), Value::Integer(9)),
            ("subject".to_owned(), "An (urgent) matter".into()),
            ("fresh".to_owned(), Value::Flag(true)),
            ("tags".to_owned(), list),
        ])
    }

    fn passes(filter: &str) -> bool {
        filter.parse::<Filter>().unwrap().matches(&properties())
    }

    #[test]
    fn each_operator_compares_as_ldap_does() {
        for filter in [
            "(folder=INBOX)",
            "(FOLDER=INBOX)",
            "(unread>=9)",
            "(unread<=10)",
            "(unread=9)",
            "(fresh=true)",
            "(tags=b)",
            "(tags=*)",
            "(folder~=in box)",
            "(folder=IN*)",
            "(folder=*B*X)",
            "(subject=*\\28urgent\\29*)",
            "(subject=*\\(urgent\\)*)",
            "(&(folder=INBOX)(unread>=1))",
            "(|(folder=Sent)(unread>=1))",
            "(!(folder=Sent))",
            " ( & (folder=INBOX) (!(none=*)) ) ",
        ] {
            assert!(passes(filter), "{filter}");
        }
        for filter in [
            "(folder=inbox)",
            "(unread>=10)",
            "(unread>=x)",
            "(none=*)",
            "(none=x)",
            "(tags=c)",
            "(folder=*INBOX*X)",
            "(&(folder=INBOX)(unread>=10))",
        ] {
            assert!(!passes(filter), "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_with_its_place() {
        for (filter, at) in [
            ("", 1),
            ("folder=INBOX", 1),
            ("(folder=INBOX", 14),
            ("(folder)", 9),
            ("(=x)", 2),
            ("(&)", 3),
            ("(folder=INBOX))", 15),
            ("(unread>9)", 9),
            ("(unread>=*)", 11),
        ] {
            let error = filter.parse::<Filter>().unwrap_err();
            assert_eq!(error.at, at, "{filter:?}: {error}");
        }
    }

    #[test]
    fn a_filter_that_is_nested_without_end_is_refused() {
        assert!("(!".repeat(100_000).parse::<Filter>().is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,64}") {
            let _ = text.parse::<Filter>();
        }

        #[test]
        fn text_of_the_filters_own_characters_does_not_either(text in "[()&|!=<>~*\\\\a-f0-9 é]{0,40}") {
            if let Ok(filter) = text.parse::<Filter>() {
                let _ = filter.matches(&properties());
            }
        }
    }
}
