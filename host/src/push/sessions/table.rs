//! All sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;
use tokio::time::Instant;

use super::{Session, SessionId, SessionToken};

/// What sessions may not exceed.
#[derive(Debug, Clone, Copy)]
pub(in crate::push) struct Limits {
    /// How long a session lives without a request.
    pub(in crate::push) idle: Duration,
    /// How many there may be.
    pub(in crate::push) total: usize,
}

/// How many sessions a user may have. Apps that lost their token log in anew and never end the
/// old session; the one that was used longest ago makes room.
const PER_USER: usize = 10;

/// All sessions. A session that is idle for too long is not found any more, and leaves with
/// [`expire`](Self::expire).
#[derive(Default)]
pub(in crate::push) struct Table(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    by_id: HashMap<SessionId, Entry>,
    by_user: HashMap<User, Vec<SessionId>>,
}

struct Entry {
    session: Arc<Session>,
    last_used: Instant,
}

/// There are as many sessions as there may be, or the system gives no random numbers.
#[derive(Debug)]
pub(in crate::push) struct NoRoom;

impl Table {
    /// Begins a session.
    pub(in crate::push) fn begin(
        &self,
        user: User,
        client: &str,
        password: Secret,
        limits: Limits,
    ) -> Result<(SessionToken, Arc<Session>), NoRoom> {
        let token = SessionToken::random().map_err(|_| NoRoom)?;
        let session = Arc::new(Session {
            id: token.id(),
            user,
            client: client.into(),
            password,
        });
        let mut entries = self.lock();
        if let Some(oldest) = entries.surplus_of(user) {
            entries.remove(oldest);
        }
        if entries.by_id.len() >= limits.total {
            return Err(NoRoom);
        }
        let entry = Entry {
            session: Arc::clone(&session),
            last_used: Instant::now(),
        };
        entries.by_id.insert(session.id, entry);
        entries.by_user.entry(user).or_default().push(session.id);
        Ok((token, session))
    }

    /// The session with this token; it counts as used.
    pub(in crate::push) fn find(&self, token: &str, limits: Limits) -> Option<Arc<Session>> {
        let mut entries = self.lock();
        let entry = entries.by_id.get_mut(&SessionId::of(token))?;
        if entry.last_used.elapsed() >= limits.idle {
            return None;
        }
        entry.last_used = Instant::now();
        Some(Arc::clone(&entry.session))
    }

    /// Ends a session; false where it has ended already.
    pub(in crate::push) fn end(&self, id: SessionId) -> bool {
        self.lock().remove(id).is_some()
    }

    /// Ends all sessions of a user.
    pub(in crate::push) fn end_all_of(&self, user: User) {
        let mut entries = self.lock();
        for id in entries.by_user.get(&user).cloned().unwrap_or_default() {
            entries.remove(id);
        }
    }

    /// Ends the sessions that were idle for too long, and says whose they were.
    pub(in crate::push) fn expire(&self, limits: Limits) -> Vec<User> {
        let mut entries = self.lock();
        let idle = |entry: &&Entry| entry.last_used.elapsed() >= limits.idle;
        let expired = entries.by_id.values().filter(idle);
        let expired: Vec<_> = expired.map(|entry| entry.session.id).collect();
        let ended = expired.into_iter().filter_map(|id| entries.remove(id));
        ended.map(|session| session.user).collect()
    }

    /// The sessions of a user, the newest first.
    pub(in crate::push) fn of(&self, user: User) -> Vec<Arc<Session>> {
        let entries = self.lock();
        let ids = entries.by_user.get(&user).into_iter().flatten().rev();
        ids.filter_map(|id| Some(Arc::clone(&entries.by_id.get(id)?.session)))
            .collect()
    }

    /// Everybody who has a session.
    pub(in crate::push) fn users(&self) -> Vec<User> {
        self.lock().by_user.keys().copied().collect()
    }

    pub(in crate::push) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// The session of a user that makes room for another one, where one has to.
    fn surplus_of(&self, user: User) -> Option<SessionId> {
        let ids = self
            .by_user
            .get(&user)
            .filter(|ids| ids.len() >= PER_USER)?;
        let last_used = |id: &&SessionId| self.by_id.get(id).map(|entry| entry.last_used);
        ids.iter().min_by_key(last_used).copied()
    }

    fn remove(&mut self, id: SessionId) -> Option<Arc<Session>> {
        let session = self.by_id.remove(&id)?.session;
        if let Some(ids) = self.by_user.get_mut(&session.user) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_user.remove(&session.user);
            }
        }
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        idle: Duration::from_secs(60),
        total: 15,
    };
    const ANNA: User = User { context: 1, id: 3 };
    const BERTA: User = User { context: 1, id: 4 };

    fn begin(table: &Table, user: User) -> (SessionToken, Arc<Session>) {
        table.begin(user, "app", "pw".into(), LIMITS).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_lives_as_long_as_it_is_used() {
        let table = Table::default();
        let (token, session) = begin(&table, ANNA);
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(59)).await;
            assert_eq!(table.find(token.expose(), LIMITS).unwrap().id, session.id);
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(table.find(token.expose(), LIMITS).is_none());
        assert_eq!(table.expire(LIMITS), [ANNA]);
        assert_eq!(table.len(), 0);
        assert!(table.users().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_right_token_finds_a_session_and_only_until_it_ends() {
        let table = Table::default();
        let (token, session) = begin(&table, ANNA);
        begin(&table, BERTA);
        assert_eq!(table.find(token.expose(), LIMITS).unwrap().user, ANNA);
        for wrong in ["", "x", &token.expose()[1..]] {
            assert!(table.find(wrong, LIMITS).is_none());
        }
        assert!(table.end(session.id));
        assert!(!table.end(session.id));
        assert!(table.find(token.expose(), LIMITS).is_none());
        assert_eq!(table.users(), [BERTA]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_session_that_was_used_longest_ago_makes_room() {
        let table = Table::default();
        let mut tokens = Vec::new();
        for _ in 0..PER_USER {
            tokens.push(begin(&table, ANNA).0);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(table.find(tokens[0].expose(), LIMITS).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        begin(&table, ANNA);
        assert!(table.find(tokens[0].expose(), LIMITS).is_some());
        assert!(table.find(tokens[1].expose(), LIMITS).is_none());
        assert_eq!(table.of(ANNA).len(), PER_USER);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_never_more_sessions_than_allowed() {
        let table = Table::default();
        for id in 0..15 {
            begin(&table, User { context: 1, id });
        }
        let refused = table.begin(User { context: 2, id: 1 }, "app", "pw".into(), LIMITS);
        assert!(refused.is_err());
        table.end_all_of(User { context: 1, id: 7 });
        begin(&table, ANNA);
        assert_eq!(table.len(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_session_of_a_user_comes_first() {
        let table = Table::default();
        let (_, first) = begin(&table, ANNA);
        let (_, second) = begin(&table, ANNA);
        let ids: Vec<_> = table.of(ANNA).iter().map(|session| session.id).collect();
        assert_eq!(ids, [second.id, first.id]);
        assert!(!format!("{second:?}").contains("pw"));
    }
}
