use belfry_plugin_api::user::User;

use super::{database, parsed};
use crate::storage::{FIRST_USER, StorageError};

#[tokio::test]
async fn a_login_is_one_user_however_it_is_spelled() {
    let database = database().await;
    let users = database.storage.users();
    let anna = users
        .provision(1, &parsed("Anna@Example.com"), 7)
        .await
        .unwrap();
    assert_eq!(
        anna.user,
        User {
            context: 1,
            id: FIRST_USER
        }
    );
    let again = users
        .provision(2, &parsed("anna@EXAMPLE.com"), 8)
        .await
        .unwrap();
    assert_eq!(again, anna);
    assert_eq!(again.login.as_str(), "Anna@example.com");
    let found = users
        .find_by_login("anna@example.com")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, anna);
    assert_eq!(users.find(anna.user).await.unwrap(), Some(anna));
}

#[tokio::test]
async fn each_context_counts_for_itself_and_gives_no_number_twice() {
    let database = database().await;
    let users = database.storage.users();
    let number = async |context, login| {
        users
            .provision(context, &parsed(login), 0)
            .await
            .unwrap()
            .user
    };
    let (first, second) = (FIRST_USER, FIRST_USER + 1);
    assert_eq!(
        number(1, "a").await,
        User {
            context: 1,
            id: first
        }
    );
    assert_eq!(
        number(1, "b").await,
        User {
            context: 1,
            id: second
        }
    );
    assert_eq!(
        number(2, "c").await,
        User {
            context: 2,
            id: first
        }
    );
    assert!(
        users
            .remove(User {
                context: 1,
                id: second
            })
            .await
            .unwrap()
    );
    assert!(
        !users
            .remove(User {
                context: 1,
                id: second
            })
            .await
            .unwrap()
    );
    assert_eq!(
        number(1, "b").await,
        User {
            context: 1,
            id: second + 1
        }
    );
}

#[tokio::test]
async fn an_operator_chooses_numbers_that_are_free() {
    let database = database().await;
    let users = database.storage.users();
    let chosen = User {
        context: 1,
        id: 249,
    };
    users.add(chosen, &parsed("anna"), 0).await.unwrap();
    for (user, login) in [
        (chosen, "berta"),
        (
            User {
                context: 1,
                id: 250,
            },
            "ANNA",
        ),
    ] {
        let refused = users.add(user, &parsed(login), 0).await.unwrap_err();
        assert!(matches!(refused, StorageError::Refused(_)), "{refused:?}");
    }
    let next = users.provision(1, &parsed("berta"), 0).await.unwrap();
    assert_eq!(
        next.user,
        User {
            context: 1,
            id: 250
        }
    );
    assert_eq!(users.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn concurrent_first_logins_make_one_user() {
    let database = database().await;
    let users = database.storage.users();
    let anna = parsed("anna@example.com");
    let logins = (0..20).map(|_| users.provision(1, &anna, 0));
    let records = futures_util::future::try_join_all(logins).await.unwrap();
    assert!(records.iter().all(|record| *record == records[0]));
    assert_eq!(users.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_of_a_removed_user_is_left() {
    let database = database().await;
    let anna = database.user("anna").await;
    database.put(anna, "app", "t1", 1).await;
    assert!(database.storage.users().remove(anna).await.unwrap());
    assert!(database.tokens_of(anna).await.is_empty());
    assert!(database.registrations_of(anna).await.is_empty());
}
