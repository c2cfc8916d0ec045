//! Commands from standard input.

use belfry_sandbox::{Apns, FaultSpec, Faults, Fcm, Provider, SpecTarget};

/// What one command leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done(String),
    Summary,
}

/// Obeys one line.
pub(crate) fn obey(line: &str, apns: &Apns, fcm: &Fcm) -> Answer {
    let (command, argument) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    Answer::Done(match (command, argument.trim()) {
        ("fault", spec) => match spec.parse::<FaultSpec>() {
            Ok(spec) => {
                faults(&spec, apns, fcm).add_all(spec.faults);
                "in force".to_owned()
            }
            Err(error) => error.to_string(),
        },
        ("clear", "") => {
            apns.faults().clear();
            fcm.faults().clear();
            "no faults".to_owned()
        }
        ("hang-up", "") => {
            apns.hang_up();
            fcm.hang_up();
            "all connections closed".to_owned()
        }
        ("revoke", "") => {
            fcm.revoke_access_tokens();
            "all access tokens void".to_owned()
        }
        ("summary", "") => return Answer::Summary,
        (other, _) => format!(
            "`{other}` is no command; there are fault SPEC, clear, hang-up, revoke, summary"
        ),
    })
}

/// Where a specification's faults go.
pub(crate) fn faults<'a>(spec: &FaultSpec, apns: &'a Apns, fcm: &'a Fcm) -> &'a Faults {
    match spec.target {
        SpecTarget::Pushes(Provider::Apns) => apns.faults(),
        SpecTarget::Pushes(Provider::Fcm) | SpecTarget::TokenEndpoint => fcm.faults(),
    }
}
