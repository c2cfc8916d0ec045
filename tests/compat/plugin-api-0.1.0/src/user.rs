//! Who a mail belongs to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A user of a context (tenant). Written `USER@CONTEXT`, as in `249@1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct User {
    /// The tenant.
    pub context: u32,
    /// The user's number inside the tenant.
    pub id: u32,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.context)
    }
}

/// What was given is not `USER@CONTEXT` in decimal numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not USER@CONTEXT, two numbers as in 249@1")]
pub struct ParseUserError(String);

impl FromStr for User {
    type Err = ParseUserError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| {
            // `parse` also takes a leading `+`, which a mail login may well start with.
            if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                digits.parse().ok()
            } else {
                None
            }
        };
        text.split_once('@')
            .and_then(|(id, context)| {
                Some(User {
                    id: number(id)?,
                    context: number(context)?,
                })
            })
            .ok_or_else(|| ParseUserError(text.to_owned()))
    }
}
