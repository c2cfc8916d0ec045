//! Bytes that the queue keeps and never looks into.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// What an entry or delivery carries. Clones share the bytes, so that one message for many devices
/// is held once; its `Debug` shows the size alone, for mail and tokens are inside.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Payload(Arc<[u8]>);

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload(bytes.into())
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Payload(bytes.into())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

impl ToSql for Payload {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for Payload {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Payload::from(value.as_blob()?))
    }
}

#[cfg(test)]
mod tests {
    use super::Payload;

    #[test]
    fn what_a_payload_holds_is_not_shown() {
        let payload = Payload::from(b"secret".to_vec());
        assert_eq!(format!("{payload:?}"), "Payload(6 bytes)");
    }
}
