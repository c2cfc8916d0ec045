//! Reads and checks the folder, and sees to it that what was read is being watched.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::contents::Contents;
use crate::offer::{Finding, Provider, find};
use crate::watch::{Activity, Places, Watch};

/// How often the folder is read because what is watched had to change.
const READINGS: usize = 5;

/// What was last read, which need not be checked again while it is the same.
pub(crate) struct Reader {
    watch: Watch,
    last: Option<Reading>,
}

/// What the folder holds, and what that means.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) contents: Arc<Contents>,
    pub(crate) findings: Arc<BTreeMap<Provider, Finding>>,
}

impl Reader {
    pub(crate) fn new(activity: Arc<Activity>) -> Self {
        Self {
            watch: Watch::new(activity),
            last: None,
        }
    }

    /// Reads the folder. Blocks.
    pub(crate) fn read(&mut self, folder: &Path) -> Reading {
        let mut contents = Contents::read(folder);
        for _ in 1..READINGS {
            if !self.watch.follow(Places::of(&contents)) {
                break;
            }
            // What changed between the reading and the watching was seen by neither.
            contents = Contents::read(folder);
        }
        if let Some(last) = &self.last
            && *last.contents == contents
        {
            return last.clone();
        }
        let findings = Provider::ALL.map(|provider| (provider, find(&contents, provider)));
        let reading = Reading {
            contents: Arc::new(contents),
            findings: Arc::new(findings.into()),
        };
        self.last.insert(reading).clone()
    }

    /// Whether changes are noticed at once.
    ///
    /// # Errors
    ///
    /// Says why not, and when they are noticed.
    pub(crate) fn watching(&self) -> Result<(), &str> {
        self.watch.trouble().map_or(Ok(()), Err)
    }
}
