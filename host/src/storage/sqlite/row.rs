//! Rows as values.

use belfry_plugin_api::secret::Secret;
use belfry_plugin_api::user::User;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use crate::storage::{Login, Registration, Subscription, UserRecord};

/// A user's numbers, in columns `context` and `user`.
pub(super) struct Numbers(pub(super) User);

fn number(row: &SqliteRow, column: &'static str) -> sqlx::Result<u32> {
    let value: i64 = row.try_get(column)?;
    u32::try_from(value).map_err(|error| decode(column, error))
}

fn decode(column: &'static str, error: impl Into<BoxDynError>) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: error.into(),
    }
}

impl FromRow<'_, SqliteRow> for Numbers {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self(User {
            context: number(row, "context")?,
            id: number(row, "user")?,
        }))
    }
}

impl FromRow<'_, SqliteRow> for UserRecord {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let login: String = row.try_get("login")?;
        Ok(Self {
            user: Numbers::from_row(row)?.0,
            login: login
                .parse::<Login>()
                .map_err(|error| decode("login", error))?,
            created_ms: row.try_get("created_ms")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Registration {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            user: Numbers::from_row(row)?.0,
            client: row.try_get("client")?,
            created_ms: row.try_get("created_ms")?,
            ending: row.try_get("ending")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Subscription {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            user: Numbers::from_row(row)?.0,
            client: row.try_get("client")?,
            transport: row.try_get("transport")?,
            token: Secret::from(row.try_get::<String, _>("token")?),
            app: row.try_get("app")?,
            subscribed_ms: row.try_get("subscribed_ms")?,
        })
    }
}
