//! What the operator should know about the folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::certificate::Nearness;
use crate::contents::{Contents, NamesState};
use crate::desk::Desk;
use crate::names::{NAMES_FILE, Names};
use crate::offer::{Finding, Provider};

/// Permission bits of those who are neither the owner nor of the group: reading and writing.
const OTHERS: u32 = 0o006;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Notice {
    Error(String),
    Warning(String),
    Info(String),
}

/// Tells each thing once, and again only after it was otherwise.
#[derive(Default)]
pub(crate) struct Notices {
    told: BTreeSet<Notice>,
}

impl Notices {
    /// Logs what was not so when this was last called.
    pub(crate) fn tell(
        &mut self,
        contents: &Contents,
        findings: &BTreeMap<Provider, Finding>,
        desk: &Desk,
        watching: Result<(), &str>,
        now_s: i64,
    ) {
        let mut notices = BTreeSet::new();
        if let Err(why) = watching {
            notices.insert(Notice::Warning(why.to_owned()));
        }
        if let NamesState::Missing(what) = &contents.names {
            notices.insert(Notice::Warning(format!(
                "{what}: no certificates and keys are offered until it does"
            )));
        }
        notices.extend(faults(findings, desk));
        notices.extend(ends(desk, now_s));
        if let Some((names, mode)) = contents.names() {
            notices.extend(unknown_names(contents, names));
            notices.extend(readable_by_others(contents, names, mode));
            notices.extend(licence(contents, names));
        }
        for notice in notices.difference(&self.told) {
            match notice {
                Notice::Error(text) => tracing::error!("{text}"),
                Notice::Warning(text) => tracing::warn!("{text}"),
                Notice::Info(text) => tracing::info!("{text}"),
            }
        }
        self.told = notices;
    }
}

/// One error for each fault, also where it concerns both providers.
fn faults(findings: &BTreeMap<Provider, Finding>, desk: &Desk) -> Vec<Notice> {
    let mut faults = BTreeMap::<&str, Vec<String>>::new();
    for (provider, finding) in findings {
        if let Finding::Broken(why) = finding {
            let consequence = match desk.offer(*provider) {
                Some(offer) => format!("for {provider}, {offer} stays in force"),
                None => format!("nothing is offered for {provider}"),
            };
            faults.entry(why).or_default().push(consequence);
        }
    }
    let faults = faults.into_iter();
    faults
        .map(|(why, consequences)| {
            let consequences = consequences.join(" and ");
            Notice::Error(format!("{why}; until that is put right {consequences}"))
        })
        .collect()
}

fn ends(desk: &Desk, now_s: i64) -> Vec<Notice> {
    let offers = Provider::ALL.into_iter().filter_map(|one| desk.offer(one));
    offers
        .filter_map(|offer| {
            let end = offer.end.as_ref()?;
            let (what, date) = (&offer.what, &end.date);
            match end.nearness(now_s) {
                Nearness::Far => None,
                Nearness::Near => Some(Notice::Warning(format!(
                    "{what} expires on {date}: replace it before; a new one is taken up at once"
                ))),
                Nearness::Past => Some(Notice::Warning(format!(
                    "{what} expired on {date}: replace it; a new one is taken up at once"
                ))),
            }
        })
        .collect()
}

fn unknown_names(contents: &Contents, names: &Names) -> Vec<Notice> {
    let unknown = names.unknown.iter();
    unknown
        .map(|name| {
            Notice::Warning(format!(
                "{name} in {} means nothing here and is passed over",
                contents.folder.join(NAMES_FILE).display()
            ))
        })
        .collect()
}

fn readable_by_others(contents: &Contents, names: &Names, names_mode: u32) -> Vec<Notice> {
    let licence = names.licence.as_ref().ok().and_then(Option::as_ref);
    let secret = names.files().filter(|name| licence != Some(name));
    let modes =
        secret.filter_map(|name| Some((contents.path(name), contents.file(name).ok()?.mode)));
    let with_password = names
        .has_password()
        .then(|| (contents.folder.join(NAMES_FILE), names_mode));
    modes
        .chain(with_password)
        .filter(|(_, mode)| mode & OTHERS != 0)
        .map(|(path, mode)| {
            let path = path.display();
            Notice::Warning(format!(
                "{path} holds a secret, and its mode {mode:04o} lets every user of this machine \
                 at it: take that away (chmod o= {path})"
            ))
        })
        .collect()
}

fn licence(contents: &Contents, names: &Names) -> Option<Notice> {
    let name = match &names.licence {
        Ok(name) => name.as_ref()?,
        Err(why) => {
            let folder = contents.folder.display();
            return Some(Notice::Warning(format!("in {folder}, {why}")));
        }
    };
    Some(match contents.file(name) {
        Ok(_) => Notice::Info(format!(
            "the licence {} is there",
            contents.path(name).display()
        )),
        Err(why) => Notice::Warning(why),
    })
}
