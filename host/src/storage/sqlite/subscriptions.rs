use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;
use sqlx::{Row, SqliteConnection};

use super::Sqlite;
use super::row::Numbers;
use crate::storage::{Answer, NewSubscription, Put, StorageError, Subscription, Subscriptions};

impl Subscriptions for Sqlite {
    fn put<'a>(&'a self, new: &'a NewSubscription, limit: u32) -> Answer<'a, Put> {
        Box::pin(async move {
            let token = text(&new.token)?;
            let mut transaction = self.write().await?;
            let put = put(&mut transaction, new, token, limit).await;
            let put = put.map_err(|error| self.fault(error))?;
            self.commit(transaction).await?;
            Ok(put)
        })
    }

    fn remove<'a>(&'a self, user: User, transport: &'a str, token: &'a Secret) -> Answer<'a, bool> {
        Box::pin(async move {
            let token = text(token)?;
            let mut transaction = self.write().await?;
            let removed = remove(&mut transaction, user, transport, token).await;
            let removed = removed.map_err(|error| self.fault(error))?;
            self.commit(transaction).await?;
            Ok(removed)
        })
    }

    fn remove_by_id(&self, id: i64, before_ms: Option<i64>) -> Answer<'_, Option<User>> {
        Box::pin(async move {
            let mut transaction = self.write().await?;
            let removed = remove_by_id(&mut transaction, id, before_ms).await;
            let removed = removed.map_err(|error| self.fault(error))?;
            self.commit(transaction).await?;
            Ok(removed)
        })
    }

    fn of(&self, user: User) -> Answer<'_, Vec<Subscription>> {
        Box::pin(async move {
            sqlx::query_as(
                "SELECT id, context, user, client, transport, token, app, subscribed_ms
                 FROM subscriptions WHERE context = ?1 AND user = ?2 ORDER BY id",
            )
            .bind(user.context)
            .bind(user.id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(error))
        })
    }

    fn list(&self) -> Answer<'_, Vec<Subscription>> {
        Box::pin(async {
            sqlx::query_as(
                "SELECT id, context, user, client, transport, token, app, subscribed_ms
                 FROM subscriptions ORDER BY context, user, id",
            )
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(error))
        })
    }
}

fn text(token: &Secret) -> Result<&str, StorageError> {
    token
        .expose_str()
        .ok_or_else(|| StorageError::Refused("the token is not UTF-8".to_owned()))
}

async fn put(
    db: &mut SqliteConnection,
    new: &NewSubscription,
    token: &str,
    limit: u32,
) -> sqlx::Result<Put> {
    let found = sqlx::query(
        "SELECT id, context, user FROM subscriptions WHERE transport = ?1 AND token = ?2",
    )
    .bind(&new.transport)
    .bind(token)
    .fetch_optional(&mut *db)
    .await?;
    let owned = match &found {
        Some(row) => {
            let Numbers(owner) = sqlx::FromRow::from_row(row)?;
            Some((row.try_get::<i64, _>("id")?, owner))
        }
        None => None,
    };
    let result = match owned {
        Some((id, owner)) if owner == new.user => {
            confirm(db, id, new).await?;
            Put {
                id,
                known: true,
                moved_from: None,
            }
        }
        other => {
            if let Some((id, _)) = other {
                delete(db, id).await?;
            }
            let id = insert(db, new, token).await?;
            make_room(db, new.user, limit).await?;
            Put {
                id,
                known: false,
                moved_from: other.map(|(_, owner)| owner),
            }
        }
    };
    register(db, new).await?;
    end_idle_registrations(db, new.user).await?;
    if let Some(previous) = result.moved_from {
        end_idle_registrations(db, previous).await?;
    }
    Ok(result)
}

async fn confirm(db: &mut SqliteConnection, id: i64, new: &NewSubscription) -> sqlx::Result<()> {
    sqlx::query("UPDATE subscriptions SET client = ?2, app = ?3, subscribed_ms = ?4 WHERE id = ?1")
        .bind(id)
        .bind(&new.client)
        .bind(&new.app)
        .bind(new.subscribed_ms)
        .execute(db)
        .await?;
    Ok(())
}

async fn insert(
    db: &mut SqliteConnection,
    new: &NewSubscription,
    token: &str,
) -> sqlx::Result<i64> {
    let inserted = sqlx::query(
        "INSERT INTO subscriptions (context, user, client, transport, token, app, subscribed_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(new.user.context)
    .bind(new.user.id)
    .bind(&new.client)
    .bind(&new.transport)
    .bind(token)
    .bind(&new.app)
    .bind(new.subscribed_ms)
    .execute(db)
    .await?;
    Ok(inserted.last_insert_rowid())
}

async fn make_room(db: &mut SqliteConnection, user: User, limit: u32) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM subscriptions WHERE id IN (
             SELECT id FROM subscriptions WHERE context = ?1 AND user = ?2
             ORDER BY subscribed_ms DESC, id DESC LIMIT -1 OFFSET ?3)",
    )
    .bind(user.context)
    .bind(user.id)
    .bind(limit)
    .execute(db)
    .await?;
    Ok(())
}

async fn register(db: &mut SqliteConnection, new: &NewSubscription) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO registrations (context, user, client, created_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (context, user, client)
         DO UPDATE SET ending = 0, created_ms = excluded.created_ms WHERE ending = 1",
    )
    .bind(new.user.context)
    .bind(new.user.id)
    .bind(&new.client)
    .bind(new.subscribed_ms)
    .execute(db)
    .await?;
    Ok(())
}

async fn end_idle_registrations(db: &mut SqliteConnection, user: User) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE registrations SET ending = 1
         WHERE context = ?1 AND user = ?2 AND ending = 0 AND client NOT IN (
             SELECT client FROM subscriptions WHERE context = ?1 AND user = ?2)",
    )
    .bind(user.context)
    .bind(user.id)
    .execute(db)
    .await?;
    Ok(())
}

async fn delete(db: &mut SqliteConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM subscriptions WHERE id = ?1")
        .bind(id)
        .execute(db)
        .await?;
    Ok(())
}

async fn remove(
    db: &mut SqliteConnection,
    user: User,
    transport: &str,
    token: &str,
) -> sqlx::Result<bool> {
    let removed = sqlx::query(
        "DELETE FROM subscriptions
         WHERE context = ?1 AND user = ?2 AND transport = ?3 AND token = ?4",
    )
    .bind(user.context)
    .bind(user.id)
    .bind(transport)
    .bind(token)
    .execute(&mut *db)
    .await?;
    end_idle_registrations(db, user).await?;
    Ok(removed.rows_affected() > 0)
}

async fn remove_by_id(
    db: &mut SqliteConnection,
    id: i64,
    before_ms: Option<i64>,
) -> sqlx::Result<Option<User>> {
    let removed: Option<Numbers> = sqlx::query_as(
        "DELETE FROM subscriptions WHERE id = ?1 AND (?2 IS NULL OR subscribed_ms < ?2)
         RETURNING context, user",
    )
    .bind(id)
    .bind(before_ms)
    .fetch_optional(&mut *db)
    .await?;
    let Some(Numbers(user)) = removed else {
        return Ok(None);
    };
    end_idle_registrations(db, user).await?;
    Ok(Some(user))
}
