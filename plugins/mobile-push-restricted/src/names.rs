//! `restricted.toml`: which files are which.
//!
//! Nothing of a value is ever repeated in an error, since one of them is a password; the decoder
//! of `toml` would quote the line that it cannot read.

use belfry_plugin_api::secret::Secret;
use toml::{Table, Value};

use crate::file_name::FileName;

/// The file itself.
pub(crate) const NAMES_FILE: &str = "restricted.toml";

const KNOWN: [&str; 9] = [
    "apns.keystore",
    "apns.password",
    "apns.key",
    "apns.key-id",
    "apns.team-id",
    "apns.topic",
    "apns.production",
    "fcm.service-account",
    "licence",
];

/// What is named; a part that cannot be used is a sentence, and leaves the other parts usable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) apns: Result<Option<Apns>, String>,
    pub(crate) service_account: Result<Option<FileName>, String>,
    pub(crate) licence: Result<Option<FileName>, String>,
    /// Keys that mean nothing here, by their full names.
    pub(crate) unknown: Vec<String>,
}

/// What logs in to APNs, and to which of its apps and sides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Apns {
    pub(crate) login: ApnsLogin,
    pub(crate) topic: Option<String>,
    pub(crate) production: Option<bool>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ApnsLogin {
    Certificate {
        keystore: FileName,
        password: Option<Secret>,
    },
    Token {
        key: FileName,
        key_id: String,
        team_id: String,
    },
}

impl Names {
    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// It is not TOML; says where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| not_toml(text, &error))?;
        let root = Section {
            prefix: "",
            table: &table,
        };
        Ok(Self {
            apns: root.section("apns.").and_then(|apns| match apns {
                Some(apns) => apns_of(&apns).map(Some),
                None => Ok(None),
            }),
            service_account: root.section("fcm.").and_then(|fcm| match fcm {
                Some(fcm) => fcm.required("service-account", Section::file).map(Some),
                None => Ok(None),
            }),
            licence: root.file("licence"),
            unknown: unknown(&table),
        })
    }

    /// All files that are named.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FileName> {
        let apns = self.apns.as_ref().ok().and_then(Option::as_ref);
        let apns = apns.map(|apns| match &apns.login {
            ApnsLogin::Certificate { keystore, .. } => keystore,
            ApnsLogin::Token { key, .. } => key,
        });
        let others = [&self.service_account, &self.licence];
        let others = others
            .into_iter()
            .filter_map(|name| name.as_ref().ok()?.as_ref());
        apns.into_iter().chain(others)
    }

    /// Whether the file holds a secret of its own.
    pub(crate) fn has_password(&self) -> bool {
        matches!(
            &self.apns,
            Ok(Some(Apns {
                login: ApnsLogin::Certificate {
                    password: Some(_),
                    ..
                },
                ..
            }))
        )
    }
}

fn apns_of(section: &Section<'_>) -> Result<Apns, String> {
    let login = match (section.file("keystore")?, section.file("key")?) {
        (Some(keystore), None) => ApnsLogin::Certificate {
            keystore,
            password: section.text("password")?.map(Secret::from),
        },
        (None, Some(key)) => ApnsLogin::Token {
            key,
            key_id: section.required("key-id", Section::filled_text)?,
            team_id: section.required("team-id", Section::filled_text)?,
        },
        (Some(_), Some(_)) => {
            return Err(format!(
                "{NAMES_FILE} names both apns.keystore and apns.key: leave one of them out"
            ));
        }
        (None, None) => {
            return Err(format!(
                "{NAMES_FILE} has apns but names neither apns.keystore nor apns.key"
            ));
        }
    };
    Ok(Apns {
        login,
        topic: section.filled_text("topic")?,
        production: section.flag("production")?,
    })
}

struct Section<'a> {
    /// What the keys' full names begin with: nothing, or a name with a dot behind it.
    prefix: &'static str,
    table: &'a Table,
}

impl<'a> Section<'a> {
    fn is_not(&self, key: &str, what: &str) -> String {
        format!("{}{key} in {NAMES_FILE} is not {what}", self.prefix)
    }

    fn section(&self, prefix: &'static str) -> Result<Option<Self>, String> {
        let key = prefix.trim_end_matches('.');
        match self.table.get(key) {
            Some(Value::Table(table)) => Ok(Some(Self { prefix, table })),
            Some(_) => Err(self.is_not(key, "a table")),
            None => Ok(None),
        }
    }

    fn text(&self, key: &str) -> Result<Option<&'a str>, String> {
        match self.table.get(key) {
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.is_not(key, "a text in quotes")),
            None => Ok(None),
        }
    }

    fn filled_text(&self, key: &str) -> Result<Option<String>, String> {
        match self.text(key)? {
            Some("") => Err(self.is_not(key, "a text with anything in it")),
            text => Ok(text.map(str::to_owned)),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        match self.table.get(key) {
            Some(Value::Boolean(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.is_not(key, "true or false, without quotes")),
            None => Ok(None),
        }
    }

    fn file(&self, key: &str) -> Result<Option<FileName>, String> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        match FileName::parse(text) {
            Some(name) => Ok(Some(name)),
            None => Err(self.is_not(key, "the name of a file beside it, without any folder")),
        }
    }

    fn required<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Self, &str) -> Result<Option<T>, String>,
    ) -> Result<T, String> {
        read(self, key)?.ok_or_else(|| format!("{NAMES_FILE} has no {}{key}", self.prefix))
    }
}

fn unknown(table: &Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) if key == "apns" || key == "fcm" => {
                names.extend(inner.keys().map(|inner| format!("{key}.{inner}")));
            }
            _ => names.push(key.clone()),
        }
    }
    // What is of the wrong form has its own error.
    names.retain(|name| !KNOWN.contains(&name.as_str()) && name != "apns" && name != "fcm");
    names
}

fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    // The message alone is one of the parser's fixed sentences.
    format!(
        "{NAMES_FILE} is not TOML in line {line}: {}",
        error.message()
    )
}

#[cfg(test)]
mod tests;
