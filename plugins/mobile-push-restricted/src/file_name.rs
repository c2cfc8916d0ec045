use std::fmt;
use std::path::{Component, Path, PathBuf};

/// The name of a file beside `restricted.toml`: one component, so that nothing outside the folder
/// can be named. A symbolic link of that name may lead elsewhere; only who may write the folder
/// can have put it there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileName(String);

impl FileName {
    /// `None` for what is not such a name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut components = Path::new(text).components();
        match (components.next(), components.next()) {
            // `components` also passes over a trailing slash or dot.
            (Some(Component::Normal(name)), None) if name == text && !text.contains('\0') => {
                Some(Self(text.to_owned()))
            }
            _ => None,
        }
    }

    pub(crate) fn inside(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_beside_restricted_toml() {
        for name in ["push.p12", "..data", ".hidden", "a b", "ä"] {
            let parsed = FileName::parse(name).unwrap();
            assert_eq!(
                parsed.inside(Path::new("/x")).parent(),
                Some(Path::new("/x"))
            );
        }
        for path in [
            "",
            ".",
            "..",
            "/",
            "/etc/passwd",
            "../push.p12",
            "a/push.p12",
            "./push.p12",
            "push.p12/",
            "push.p12/.",
            "a/../push.p12",
            "a\0b",
        ] {
            assert_eq!(FileName::parse(path), None, "{path:?}");
        }
    }
}
