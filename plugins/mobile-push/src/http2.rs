//! HTTP/2 to one provider: the connections, and what becomes of a request on them.
//!
//! Knows nothing of APNs or FCM. A provider restarts its servers with GOAWAY all day, allows a
//! number of streams that it alone decides, and hangs now and then; what a caller must know of
//! that is one of four kinds of [`Failure`].

mod connect;
mod driver;
mod error;
mod exchange;
mod origin;
mod pool;
mod state;
mod tls;

pub use error::{ConnectFault, Failure};
pub use origin::{Origin, ParseOriginError};
pub use pool::{ConnectionId, Options, Pool, Response};
pub use tls::{TlsError, Trust, client_config};
