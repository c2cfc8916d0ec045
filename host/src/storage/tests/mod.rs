mod open;
mod subscriptions;
mod users;

use belfry_plugin_api::user::User;

use super::{Login, NewSubscription, Put, Storage};

struct Database {
    storage: Storage,
    folder: tempfile::TempDir,
}

async fn database() -> Database {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open("sqlite:belfry.db", folder.path())
        .await
        .unwrap();
    Database { storage, folder }
}

impl Database {
    /// A user of context 1.
    async fn user(&self, login: &str) -> User {
        let users = self.storage.users();
        users.provision(1, &parsed(login), 0).await.unwrap().user
    }

    async fn put(&self, user: User, client: &str, token: &str, now_ms: i64) -> Put {
        let new = NewSubscription {
            user,
            client: client.into(),
            transport: "apns".into(),
            token: token.into(),
            app: None,
            subscribed_ms: now_ms,
        };
        self.storage.subscriptions().put(&new, 3).await.unwrap()
    }

    async fn tokens_of(&self, user: User) -> Vec<String> {
        let subscriptions = self.storage.subscriptions().of(user).await.unwrap();
        let token = |token: &[u8]| String::from_utf8(token.to_vec()).unwrap();
        subscriptions
            .iter()
            .map(|s| token(s.token.expose()))
            .collect()
    }

    /// `client` for one that holds, `-client` for one that is ending.
    async fn registrations_of(&self, user: User) -> Vec<String> {
        let registrations = self.storage.registrations().of(user).await.unwrap();
        let shown = registrations
            .into_iter()
            .map(|registration| match registration.ending {
                true => format!("-{}", registration.client),
                false => registration.client,
            });
        shown.collect()
    }
}

fn parsed(login: &str) -> Login {
    login.parse().unwrap()
}
