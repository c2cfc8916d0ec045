//! What every database does for the host.

use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;
use futures_util::future::BoxFuture;

use super::{Login, NewSubscription, Put, Registration, StorageError, Subscription, UserRecord};

/// What a repository answers, later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// The first number that a context gives to a user; 1 and 2 stay free for the operator.
pub const FIRST_USER: u32 = 3;

/// Who is known.
pub trait Users: Send + Sync {
    /// The user with these numbers.
    fn find(&self, user: User) -> Answer<'_, Option<UserRecord>>;

    /// The user with this login, however it is spelled; the [key](Login::key) is given.
    fn find_by_login<'a>(&'a self, key: &'a str) -> Answer<'a, Option<UserRecord>>;

    /// The user with this login; a new one of the context, with its next free number from
    /// [`FIRST_USER`] on, where there is none.
    fn provision<'a>(
        &'a self,
        context: u32,
        login: &'a Login,
        now_ms: i64,
    ) -> Answer<'a, UserRecord>;

    /// Adds a user. [`StorageError::Refused`] where the numbers or the login are taken.
    fn add<'a>(&'a self, user: User, login: &'a Login, now_ms: i64) -> Answer<'a, UserRecord>;

    /// Removes a user with all that is stored of it; false where there is none. Its numbers are
    /// not given to anybody else.
    fn remove(&self, user: User) -> Answer<'_, bool>;

    /// All, by context and number.
    fn list(&self) -> Answer<'_, Vec<UserRecord>>;
}

/// Who wants permanent listeners. Registrations are made by [`Subscriptions::put`].
pub trait Registrations: Send + Sync {
    /// Those of a user, ending ones included, by client.
    fn of(&self, user: User) -> Answer<'_, Vec<Registration>>;

    /// Marks a user's registrations as ending: all, or the one of a client. Says how many.
    fn end<'a>(&'a self, user: User, client: Option<&'a str>) -> Answer<'a, u64>;

    /// Forgets a user's ending registrations: the listener knows.
    fn forget_ended(&self, user: User) -> Answer<'_, ()>;

    /// The users who have any, ending ones included, by context and number.
    fn users(&self) -> Answer<'_, Vec<User>>;

    /// All, by context, number and client.
    fn list(&self) -> Answer<'_, Vec<Registration>>;
}

/// Users' devices.
///
/// A client's registration ends with its last subscription, in the same transaction.
pub trait Subscriptions: Send + Sync {
    /// Stores a subscription and registers its client. A token belongs to one user: one that
    /// another had moves, under a new id, so that what waits for the other user is not delivered.
    /// Of more than `limit` subscriptions of a user those go that were confirmed longest ago.
    fn put<'a>(&'a self, new: &'a NewSubscription, limit: u32) -> Answer<'a, Put>;

    /// Removes a user's device; false where it is not there.
    fn remove<'a>(&'a self, user: User, transport: &'a str, token: &'a Secret) -> Answer<'a, bool>;

    /// Removes a subscription, only where it was confirmed before `before_ms` if that is given.
    /// Says whose it was.
    fn remove_by_id(&self, id: i64, before_ms: Option<i64>) -> Answer<'_, Option<User>>;

    /// Those of a user, by id.
    fn of(&self, user: User) -> Answer<'_, Vec<Subscription>>;

    /// All, by context, number and id.
    fn list(&self) -> Answer<'_, Vec<Subscription>>;
}
