//! Frames: everything that host and plugin say to each other.
//!
//! A frame on the wire is its length (`u32`, little-endian, of what follows), the length of its
//! tag (`u8`), the tag, and a MessagePack body whose structs are maps with named fields. So either
//! side may be older: a field that is not known is skipped, one that is missing has its default,
//! and a frame with an unknown tag is [`ToPlugin::Unknown`] or [`ToHost::Unknown`], to be counted
//! and ignored.

mod codec;
mod delivery;
mod listener;
mod log;
mod question;

pub use codec::{DecodeError, MAX_FRAME_BYTES, Splitter, ToHost, ToPlugin};
pub use delivery::{Delivery, DeliveryDone, Message, Outcome, Rendition, Scope};
pub use listener::{Account, MailCredentials, Report, ReportDone};
pub use log::{Level, LogLevel, LogRecord};
pub use question::{
    Answer, Answered, Configure, CredentialQuestion, EventDelivery, EventDone, Failed, Handled,
    HttpCall, HttpReply, Listen, Numbered, ProviderCredential, Publish, Ready, Start, Stop,
    TransportReady,
};
