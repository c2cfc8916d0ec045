//! Which kind of listener a user gets, and why not.

use std::fmt;

use belfry_plugin_api::manifest::PluginId;

/// A listener that an active plugin offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The plugin.
    pub plugin: PluginId,
    /// Whether it can listen for a user who has no session.
    pub permanent: bool,
    /// Of two that could do it the higher one does.
    pub ranking: i32,
}

/// What is known of a user when it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Whether the operator allows listeners that outlive sessions.
    pub permanent_allowed: bool,
    /// Whether the user is registered by any client, allowed or not.
    pub registered: bool,
    /// Whether the user is registered by a client that is allowed.
    pub registered_by_allowed: bool,
    /// Whether an allowed client of the user has a session and a subscription.
    pub in_session: bool,
    /// Whether there is a password that opens every mailbox.
    pub master: bool,
    /// Whether a session of the user holds the user's own password.
    pub password: bool,
    /// The listeners that there are.
    pub candidates: &'a [Candidate],
}

/// By what a listener gets into the user's mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialSource {
    /// The master password.
    Master,
    /// The password of one of the user's sessions.
    Session,
    /// Nothing before the user's next login, unless the plugin has a way of its own.
    NextLogin,
}

/// Why a user gets no listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No client of the user subscribed a device.
    NotRegistered,
    /// Only clients did that the operator does not allow.
    ClientNotAllowed,
    /// No listener plugin is active.
    NoPlugin,
    /// The operator forbids permanent listeners, and no session is there.
    PermanentNotAllowed,
    /// No active listener plugin can listen without a session, and no session is there.
    NoPermanentPlugin,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRegistered => "no client has subscribed a device",
            Self::ClientNotAllowed => {
                "com.openexchange.push.allowedClient covers none of the clients"
            }
            Self::NoPlugin => "no listener plugin is active",
            Self::PermanentNotAllowed => {
                "no session is open, and com.openexchange.push.allowPermanentPush is false"
            }
            Self::NoPermanentPlugin => {
                "no session is open, and no active listener plugin can do without one"
            }
        })
    }
}

/// Which listener a user gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// One that outlives the user's sessions.
    Permanent {
        /// Whose.
        plugin: PluginId,
        /// How it gets in.
        credentials: CredentialSource,
    },
    /// One that ends with the user's last session.
    SessionBound {
        /// Whose.
        plugin: PluginId,
        /// How it gets in.
        credentials: CredentialSource,
    },
    /// None.
    None {
        /// Why not.
        reason: Reason,
    },
}

/// Decides. A permanent listener is preferred; of several plugins the one with the highest
/// ranking listens, and of two with the same the one whose id comes first.
pub fn decide(circumstances: &Circumstances<'_>) -> Decision {
    let Circumstances {
        permanent_allowed,
        registered,
        registered_by_allowed,
        in_session,
        candidates,
        ..
    } = *circumstances;
    let credentials = credentials(circumstances);
    if permanent_allowed
        && registered_by_allowed
        && let Some(plugin) = best(candidates.iter().filter(|candidate| candidate.permanent))
    {
        return Decision::Permanent {
            plugin,
            credentials,
        };
    }
    if in_session && let Some(plugin) = best(candidates.iter()) {
        return Decision::SessionBound {
            plugin,
            credentials,
        };
    }
    let reason = match () {
        () if !registered => Reason::NotRegistered,
        () if !registered_by_allowed => Reason::ClientNotAllowed,
        () if candidates.is_empty() => Reason::NoPlugin,
        () if !permanent_allowed => Reason::PermanentNotAllowed,
        () => Reason::NoPermanentPlugin,
    };
    Decision::None { reason }
}

fn credentials(circumstances: &Circumstances<'_>) -> CredentialSource {
    match circumstances {
        Circumstances { master: true, .. } => CredentialSource::Master,
        Circumstances { password: true, .. } => CredentialSource::Session,
        _ => CredentialSource::NextLogin,
    }
}

pub(super) fn best<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Option<PluginId> {
    let order = |candidate: &&Candidate| {
        let plugin = std::cmp::Reverse(candidate.plugin.clone());
        (candidate.ranking, plugin)
    };
    let best = candidates.max_by_key(order)?;
    Some(best.plugin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(plugin: &str, permanent: bool, ranking: i32) -> Candidate {
        Candidate {
            plugin: plugin.parse().unwrap(),
            permanent,
            ranking,
        }
    }

    /// A registered user with a session, and nothing in the way.
    fn favourable(candidates: &[Candidate]) -> Circumstances<'_> {
        Circumstances {
            permanent_allowed: true,
            registered: true,
            registered_by_allowed: true,
            in_session: true,
            master: false,
            password: true,
            candidates,
        }
    }

    fn permanent(plugin: &str, credentials: CredentialSource) -> Decision {
        Decision::Permanent {
            plugin: plugin.parse().unwrap(),
            credentials,
        }
    }

    fn session_bound(plugin: &str) -> Decision {
        Decision::SessionBound {
            plugin: plugin.parse().unwrap(),
            credentials: CredentialSource::Session,
        }
    }

    fn reason(circumstances: &Circumstances<'_>) -> Reason {
        match decide(circumstances) {
            Decision::None { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_permanent_listener_is_preferred_to_a_higher_one_that_is_not() {
        let candidates = [candidate("idle", false, 100), candidate("dovecot", true, 1)];
        let decision = decide(&favourable(&candidates));
        assert_eq!(decision, permanent("dovecot", CredentialSource::Session));
    }

    #[test]
    fn the_highest_ranking_listens_and_of_equals_the_first_by_id() {
        let candidates = [
            candidate("zz", true, 5),
            candidate("cc", true, 7),
            candidate("bb", true, 7),
        ];
        let decision = decide(&favourable(&candidates));
        assert_eq!(decision, permanent("bb", CredentialSource::Session));
    }

    #[test]
    fn credentials_are_the_master_password_or_a_sessions_or_come_with_the_next_login() {
        let candidates = [candidate("dovecot", true, 0)];
        let all = favourable(&candidates);
        for (master, password, expected) in [
            (true, true, CredentialSource::Master),
            (true, false, CredentialSource::Master),
            (false, true, CredentialSource::Session),
            (false, false, CredentialSource::NextLogin),
        ] {
            let decision = decide(&Circumstances {
                master,
                password,
                in_session: password,
                ..all
            });
            assert_eq!(decision, permanent("dovecot", expected));
        }
    }

    #[test]
    fn where_permanent_is_not_possible_the_listener_lives_with_the_session() {
        let both = [candidate("dovecot", true, 1), candidate("idle", false, 0)];
        let decision = decide(&Circumstances {
            permanent_allowed: false,
            ..favourable(&both)
        });
        assert_eq!(decision, session_bound("dovecot"));
        let only_bound = [candidate("idle", false, 0)];
        assert_eq!(decide(&favourable(&only_bound)), session_bound("idle"));
    }

    #[test]
    fn whoever_gets_none_is_told_why() {
        let candidates = [candidate("dovecot", true, 0)];
        let absent = Circumstances {
            in_session: false,
            password: false,
            ..favourable(&candidates)
        };
        let not_registered = Circumstances {
            registered: false,
            registered_by_allowed: false,
            ..absent
        };
        assert_eq!(reason(&not_registered), Reason::NotRegistered);
        let not_allowed = Circumstances {
            registered_by_allowed: false,
            ..absent
        };
        assert_eq!(reason(&not_allowed), Reason::ClientNotAllowed);
        assert_eq!(reason(&favourable(&[])), Reason::NoPlugin);
        let forbidden = Circumstances {
            permanent_allowed: false,
            ..absent
        };
        assert_eq!(reason(&forbidden), Reason::PermanentNotAllowed);
        let bound = [candidate("idle", false, 0)];
        let without_session = Circumstances {
            candidates: &bound,
            ..absent
        };
        assert_eq!(reason(&without_session), Reason::NoPermanentPlugin);
    }
}
