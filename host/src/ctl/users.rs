//! Users, their registrations, subscriptions and listeners.

use belfry_plugin_api::user::User;
use hyper::Method;

use super::args::{Registration, Subscription, Users};
use super::client::{Client, Target};
use super::failure::Failure;
use super::output::{Output, age};
use super::table::Table;
use crate::http::admin::{
    ListenerList, NewUser, RegistrationList, Removed, SubscriptionList, UserEntry, UserList,
};

pub(super) async fn listeners(client: &Client, output: &Output) -> Result<(), Failure> {
    let list: ListenerList = client.get(["listeners"]).await?;
    output.answer(&list, lines)
}

/// The lines of the tool that operators know; scripts read them.
fn lines(list: &ListenerList) -> String {
    let hearing = list.listeners.iter().filter(|listener| listener.hears);
    let lines = hearing.map(|listener| {
        let (user, context, permanent) = (listener.user, listener.context, listener.permanent);
        format!("user={user}, context={context}, permanent={permanent}\n")
    });
    lines.collect()
}

pub(super) async fn registration(
    client: &Client,
    output: &Output,
    verb: Registration,
) -> Result<(), Failure> {
    match verb {
        Registration::List => {
            let list: RegistrationList = client.get(["registrations"]).await?;
            output.answer(&list, |list| {
                let mut table = Table::new(["CONTEXT", "USER", "CLIENT", "AGE", "STATE"]);
                for entry in &list.registrations {
                    table.row([
                        entry.context.to_string(),
                        entry.user.to_string(),
                        entry.client.clone(),
                        age(entry.created_ms),
                        if entry.ending { "ending" } else { "registered" }.to_owned(),
                    ]);
                }
                table.to_string()
            })
        }
        Registration::Remove {
            context,
            user,
            client: by,
        } => {
            let path = ["registrations", &context.to_string(), &user.to_string()];
            let target = Target::new(Method::DELETE, path).with("client", by);
            let removed: Removed = client.ask(target, None::<&()>).await?;
            output.answer(&removed, |Removed { removed }| {
                format!("{removed} ended for user {user}@{context}\n")
            })
        }
    }
}

pub(super) async fn subscription(
    client: &Client,
    output: &Output,
    verb: Subscription,
) -> Result<(), Failure> {
    match verb {
        Subscription::List => {
            let list: SubscriptionList = client.get(["subscriptions"]).await?;
            output.answer(&list, |list| {
                let mut table = Table::new([
                    "ID",
                    "CONTEXT",
                    "USER",
                    "CLIENT",
                    "TRANSPORT",
                    "TOKEN",
                    "APP",
                    "CONFIRMED",
                ]);
                for entry in &list.subscriptions {
                    table.row([
                        entry.id.to_string(),
                        entry.context.to_string(),
                        entry.user.to_string(),
                        entry.client.clone(),
                        entry.transport.clone(),
                        entry.token.clone(),
                        entry.app.clone().unwrap_or_default(),
                        age(entry.subscribed_ms),
                    ]);
                }
                table.to_string()
            })
        }
        Subscription::Remove { id } => {
            let target = Target::new(Method::DELETE, ["subscriptions", &id.to_string()]);
            let removed: Removed = client.ask(target, None::<&()>).await?;
            output.answer(&removed, |_| format!("subscription {id} is removed\n"))
        }
    }
}

pub(super) async fn user(client: &Client, output: &Output, verb: Users) -> Result<(), Failure> {
    match verb {
        Users::List => {
            let list: UserList = client.get(["users"]).await?;
            output.answer(&list, |list| {
                let mut table = Table::new(["CONTEXT", "USER", "LOGIN", "AGE"]);
                for entry in &list.users {
                    table.row([
                        entry.context.to_string(),
                        entry.user.to_string(),
                        entry.login.clone(),
                        age(entry.created_ms),
                    ]);
                }
                table.to_string()
            })
        }
        Users::Add {
            user: User { context, id: user },
            login,
        } => {
            let new = NewUser {
                user,
                context,
                login,
            };
            let target = Target::new(Method::POST, ["users"]);
            let entry: UserEntry = client.ask(target, Some(&new)).await?;
            output.answer(&entry, |entry| {
                format!(
                    "user {}@{} is known as {}\n",
                    entry.user, entry.context, entry.login
                )
            })
        }
        Users::Remove { user } => {
            let path = ["users", &user.context.to_string(), &user.id.to_string()];
            let target = Target::new(Method::DELETE, path);
            let removed: Removed = client.ask(target, None::<&()>).await?;
            output.answer(&removed, |_| format!("user {user} is removed\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::admin::ListenerEntry;

    fn listener(user: u32, permanent: bool, hears: bool) -> ListenerEntry {
        ListenerEntry {
            user,
            context: 1,
            permanent,
            plugin: "push-dovecot".parse().unwrap(),
            hears,
            state: String::new(),
        }
    }

    #[test]
    fn a_listener_that_hears_is_one_line_of_the_known_form() {
        let listeners = vec![
            listener(249, true, true),
            listener(250, true, false),
            listener(251, false, true),
        ];
        let expected =
            "user=249, context=1, permanent=true\nuser=251, context=1, permanent=false\n";
        assert_eq!(lines(&ListenerList { listeners }), expected);
    }
}
