//! Events: which handlers hear of which topic. It knows nothing of mail, and nothing of how a
//! handler is reached.

mod filter;
mod handlers;

pub use filter::{Filter, ParseFilterError};
pub use handlers::{HandlerError, Handlers};
