use belfry_plugin_api::user::User;
use sqlx::SqliteConnection;

use super::Sqlite;
use crate::storage::{Answer, FIRST_USER, Login, StorageError, UserRecord, Users};

const BY_LOGIN: &str =
    "SELECT context, id AS user, login, created_ms FROM users WHERE login_key = ?1";

impl Users for Sqlite {
    fn find(&self, user: User) -> Answer<'_, Option<UserRecord>> {
        Box::pin(async move {
            sqlx::query_as(
                "SELECT context, id AS user, login, created_ms FROM users
                 WHERE context = ?1 AND id = ?2",
            )
            .bind(user.context)
            .bind(user.id)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.fault(error))
        })
    }

    fn find_by_login<'a>(&'a self, key: &'a str) -> Answer<'a, Option<UserRecord>> {
        Box::pin(async move {
            sqlx::query_as(BY_LOGIN)
                .bind(key)
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| self.fault(error))
        })
    }

    fn provision<'a>(
        &'a self,
        context: u32,
        login: &'a Login,
        now_ms: i64,
    ) -> Answer<'a, UserRecord> {
        Box::pin(async move {
            let mut transaction = self.write().await?;
            let provisioned = provision(&mut transaction, context, login, now_ms).await;
            let record = provisioned.map_err(|error| self.fault(error))??;
            self.commit(transaction).await?;
            Ok(record)
        })
    }

    fn add<'a>(&'a self, user: User, login: &'a Login, now_ms: i64) -> Answer<'a, UserRecord> {
        Box::pin(async move {
            let mut transaction = self.write().await?;
            let inserted = insert(&mut transaction, user, login, now_ms).await;
            inserted.map_err(|error| match self.fault(error) {
                StorageError::Refused(_) => StorageError::Refused(format!(
                    "the numbers {user} or the login belong to a user already"
                )),
                other => other,
            })?;
            self.commit(transaction).await?;
            Ok(UserRecord {
                user,
                login: login.clone(),
                created_ms: now_ms,
            })
        })
    }

    fn remove(&self, user: User) -> Answer<'_, bool> {
        Box::pin(async move {
            let removed = sqlx::query("DELETE FROM users WHERE context = ?1 AND id = ?2")
                .bind(user.context)
                .bind(user.id)
                .execute(&self.pool)
                .await
                .map_err(|error| self.fault(error))?;
            Ok(removed.rows_affected() > 0)
        })
    }

    fn list(&self) -> Answer<'_, Vec<UserRecord>> {
        Box::pin(async {
            sqlx::query_as(
                "SELECT context, id AS user, login, created_ms FROM users ORDER BY context, id",
            )
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(error))
        })
    }
}

async fn provision(
    db: &mut SqliteConnection,
    context: u32,
    login: &Login,
    now_ms: i64,
) -> sqlx::Result<Result<UserRecord, StorageError>> {
    let known = sqlx::query_as(BY_LOGIN)
        .bind(login.key())
        .fetch_optional(&mut *db)
        .await?;
    if let Some(record) = known {
        return Ok(Ok(record));
    }
    let next: Option<i64> = sqlx::query_scalar("SELECT next_user FROM contexts WHERE context = ?1")
        .bind(context)
        .fetch_optional(&mut *db)
        .await?;
    let Ok(id) = u32::try_from(next.unwrap_or_else(|| FIRST_USER.into())) else {
        let full = format!("context {context} has given away all numbers of users");
        return Ok(Err(StorageError::Refused(full)));
    };
    let user = User { context, id };
    insert(db, user, login, now_ms).await?;
    Ok(Ok(UserRecord {
        user,
        login: login.clone(),
        created_ms: now_ms,
    }))
}

async fn insert(
    db: &mut SqliteConnection,
    user: User,
    login: &Login,
    now_ms: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO users (context, id, login, login_key, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(user.context)
    .bind(user.id)
    .bind(login.as_str())
    .bind(login.key())
    .bind(now_ms)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "INSERT INTO contexts (context, next_user) VALUES (?1, max(?2, ?3))
         ON CONFLICT (context) DO UPDATE SET next_user = max(next_user, excluded.next_user)",
    )
    .bind(user.context)
    .bind(i64::from(user.id) + 1)
    .bind(FIRST_USER)
    .execute(&mut *db)
    .await?;
    Ok(())
}
