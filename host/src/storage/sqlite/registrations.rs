use belfry_plugin_api::user::User;

use super::Sqlite;
use super::row::Numbers;
use crate::storage::{Answer, Registration, Registrations};

impl Registrations for Sqlite {
    fn of(&self, user: User) -> Answer<'_, Vec<Registration>> {
        Box::pin(async move {
            sqlx::query_as(
                "SELECT context, user, client, created_ms, ending FROM registrations
                 WHERE context = ?1 AND user = ?2 ORDER BY client",
            )
            .bind(user.context)
            .bind(user.id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(error))
        })
    }

    fn end<'a>(&'a self, user: User, client: Option<&'a str>) -> Answer<'a, u64> {
        Box::pin(async move {
            let ended = sqlx::query(
                "UPDATE registrations SET ending = 1
                 WHERE context = ?1 AND user = ?2 AND ending = 0 AND (?3 IS NULL OR client = ?3)",
            )
            .bind(user.context)
            .bind(user.id)
            .bind(client)
            .execute(&self.pool)
            .await
            .map_err(|error| self.fault(error))?;
            Ok(ended.rows_affected())
        })
    }

    fn forget_ended(&self, user: User) -> Answer<'_, ()> {
        Box::pin(async move {
            sqlx::query(
                "DELETE FROM registrations WHERE context = ?1 AND user = ?2 AND ending = 1",
            )
            .bind(user.context)
            .bind(user.id)
            .execute(&self.pool)
            .await
            .map_err(|error| self.fault(error))?;
            Ok(())
        })
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        Box::pin(async {
            let users: Vec<Numbers> = sqlx::query_as(
                "SELECT DISTINCT context, user FROM registrations ORDER BY context, user",
            )
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(error))?;
            Ok(users.into_iter().map(|Numbers(user)| user).collect())
        })
    }

    fn list(&self) -> Answer<'_, Vec<Registration>> {
        Box::pin(async {
            sqlx::query_as(
                "SELECT context, user, client, created_ms, ending FROM registrations
                 ORDER BY context, user, client",
            )
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.fault(error))
        })
    }
}
