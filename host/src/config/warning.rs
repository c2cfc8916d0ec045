//! What is odd in a configuration, but stops nothing.

use std::fmt;

use super::entry::Place;
use super::layer::Origin;
use super::registry::Registry;
use super::snapshot::Snapshot;

#[cfg(test)]
mod tests;

/// Everything under these belongs to Belfry, so a name that nobody reads is a slip, or a plugin's
/// that is not installed. (`openxchange`, without the `e`, is how the original spells it.)
const OWN_PREFIXES: [&str; 4] = [
    "belfry.",
    "com.openexchange.push.",
    "com.openexchange.rest.services.basic-auth.",
    "com.openxchange.mobilepush.",
];

/// Belfry reads a few names under this; hundreds of others are the original's and none of our
/// concern in an operator's existing files.
const FOREIGN_PREFIX: &str = "com.openexchange.";

/// How many letters a name that is not under a known prefix may be away from a known one to be
/// taken for a slip of it.
const SLIP: usize = 3;

/// Longer names are compared with nothing, in bytes.
const LONGEST_COMPARED: usize = 200;

/// Something odd that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// Nobody reads this key.
    UnknownKey {
        /// The key.
        key: String,
        /// Where it is set.
        origin: Origin,
        /// The known name that looks most like it.
        nearest: Option<String>,
    },
    /// A line has nothing before its separator.
    NoName(Place),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey {
                key,
                origin,
                nearest,
            } => {
                write!(
                    f,
                    "{origin}: nothing reads {}; correct the name, remove it, or install the \
                     plugin that it is for",
                    key.escape_debug()
                )?;
                match nearest {
                    Some(nearest) => {
                        let nearest = nearest.escape_debug();
                        write!(f, " (the nearest known name is {nearest})")
                    }
                    None => Ok(()),
                }
            }
            Self::NoName(place) => {
                write!(
                    f,
                    "{place}: this line sets nothing; put a name before its separator"
                )
            }
        }
    }
}

/// The keys that look as if somebody should read them, but nobody does.
pub(super) fn unknown_keys(snapshot: &Snapshot) -> Vec<Warning> {
    let registry = snapshot.registry();
    let mut warnings = Vec::new();
    for (key, origin) in snapshot.set_keys() {
        if registry.find(key).is_some() {
            continue;
        }
        let known_prefix = is_under_known_prefix(registry, key);
        let nearest = nearest(registry, key, if known_prefix { usize::MAX } else { SLIP });
        if known_prefix || nearest.is_some() {
            warnings.push(Warning::UnknownKey {
                key: key.to_owned(),
                origin: origin.clone(),
                nearest,
            });
        }
    }
    warnings
}

/// Whether it stands beside a declared key, or under a prefix that is all Belfry's.
fn is_under_known_prefix(registry: &Registry, key: &str) -> bool {
    if OWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
        return true;
    }
    if key.starts_with(FOREIGN_PREFIX) {
        return false;
    }
    let folder = |name: &str| name.rfind('.').map(|dot| name[..dot].to_owned());
    let own = folder(key);
    own.is_some() && registry.iter().any(|spec| folder(&spec.name) == own)
}

/// The known name that is the fewest letters away, and not more than `limit`.
pub(super) fn nearest(registry: &Registry, key: &str, limit: usize) -> Option<String> {
    if key.len() > LONGEST_COMPARED {
        return None;
    }
    let letters = key.chars().count();
    let names = registry.iter().map(|spec| match spec.name_like(key) {
        Some(name) => name,
        None => spec.display_name(),
    });
    names
        // The difference in length is the least distance there can be, and cheap to know.
        .filter(|name| name.chars().count().abs_diff(letters) <= limit)
        .map(|name| (strsim::osa_distance(&name, key), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}
