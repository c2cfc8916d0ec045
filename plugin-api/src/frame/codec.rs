use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Answer, Configure, CredentialQuestion, Delivery, DeliveryDone, EventDelivery, EventDone,
    Failed, HttpCall, HttpReply, Listen, LogLevel, LogRecord, Numbered, ProviderCredential,
    Publish, Ready, Report, ReportDone, Start, Stop, TransportReady,
};
use crate::error::Error;
use crate::event::Event;

/// The largest frame, in bytes after its length. A peer that announces more is not believed.
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;

/// Lists and maps inside each other. The decoder recurses, and at its own limit of 1,024 a property
/// of lists in lists overflows a thread's stack, which would end the host.
const MAX_DEPTH: usize = 64;

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MAX_FRAME_BYTES`].
    #[error("a frame of {0} bytes is announced; {MAX_FRAME_BYTES} are allowed")]
    TooLarge(usize),
    /// Too short for its tag, or the tag is no text.
    #[error("a frame has no readable tag")]
    Tag,
    /// The body is not what the tag promises.
    #[error("the body of frame {tag:?} cannot be read: {source}")]
    Body {
        /// The frame's tag.
        tag: String,
        /// What the decoder says.
        source: rmp_serde::decode::Error,
    },
}

fn put<T: Serialize>(
    buffer: &mut BytesMut,
    tag: &str,
    body: &T,
) -> Result<(), rmp_serde::encode::Error> {
    let start = buffer.len();
    let tag_length = u8::try_from(tag.len()).map_err(|_| {
        let length = tag.len();
        rmp_serde::encode::Error::Syntax(format!("a tag of {length} bytes; 255 are allowed"))
    })?;
    buffer.put_u32_le(0);
    buffer.put_u8(tag_length);
    buffer.put_slice(tag.as_bytes());
    let mut serializer = rmp_serde::Serializer::new(buffer.writer()).with_struct_map();
    let written = body.serialize(&mut serializer);
    let length = buffer.len() - start - 4;
    match (written, u32::try_from(length)) {
        (Ok(()), Ok(length)) if length as usize <= MAX_FRAME_BYTES => {
            buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        (result, _) => {
            buffer.truncate(start);
            result.and(Err(rmp_serde::encode::Error::Syntax(format!(
                "a frame {tag:?} of {length} bytes; {MAX_FRAME_BYTES} are allowed"
            ))))
        }
    }
}

fn take<T: DeserializeOwned>(tag: &str, body: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body);
    deserializer.set_max_depth(MAX_DEPTH);
    T::deserialize(&mut deserializer).map_err(|source| DecodeError::Body {
        tag: tag.to_owned(),
        source,
    })
}

macro_rules! frames {
    ($(#[$attribute:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident($body:ty) = $tag:literal,)* }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant($body),)*
            /// A frame of a newer peer, by its tag.
            Unknown(String),
        }

        impl $name {
            /// Appends the frame to a buffer.
            ///
            /// # Errors
            ///
            /// The frame is larger than [`MAX_FRAME_BYTES`]; the buffer is as it was.
            pub fn encode(&self, buffer: &mut BytesMut) -> Result<(), rmp_serde::encode::Error> {
                match self {
                    $(Self::$variant(body) => put(buffer, $tag, body),)*
                    Self::Unknown(tag) => put(buffer, tag, &()),
                }
            }

            /// Reads a frame, without its length.
            ///
            /// # Errors
            ///
            /// Says what is wrong with which frame.
            pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
                let (&length, rest) = frame.split_first().ok_or(DecodeError::Tag)?;
                let (tag, body) = rest.split_at_checked(usize::from(length)).ok_or(DecodeError::Tag)?;
                let tag = std::str::from_utf8(tag).map_err(|_| DecodeError::Tag)?;
                Ok(match tag {
                    $($tag => Self::$variant(take(tag, body)?),)*
                    other => Self::Unknown(other.to_owned()),
                })
            }

            /// The frame's tag.
            pub fn tag(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $tag,)*
                    Self::Unknown(tag) => tag,
                }
            }
        }
    };
}

frames! {
    /// What the host says to a plugin.
    ToPlugin {
        /// Begin; the first frame.
        Start(Start) = "start",
        /// The configuration changed.
        Configure(Configure) = "configure",
        /// Requests from mail servers.
        Reports(Vec<Report>) = "reports",
        /// Events for the plugin's handler.
        Events(Vec<EventDelivery>) = "events",
        /// Messages for devices.
        Deliveries(Vec<Delivery>) = "deliveries",
        /// A user to listen for, or no longer.
        Listen(Numbered<Listen>) = "listen",
        /// A request for one of the plugin's routes.
        Http(Numbered<HttpCall>) = "http",
        /// What a credential backend is asked.
        Credential(Numbered<CredentialQuestion>) = "credential",
        /// A provider's credential may have changed.
        CredentialChanged(CredentialQuestion) = "credential-changed",
        /// The answer to a question of the plugin's.
        Answer(Answer) = "answer",
        /// From which level on log records are wanted from now on.
        LogLevel(LogLevel) = "log-level",
        /// Say that you live.
        Ping(u64) = "ping",
        /// End.
        Stop(Stop) = "stop",
    }
}

frames! {
    /// What a plugin says to the host.
    ToHost {
        /// Ready for work.
        Ready(Ready) = "ready",
        /// Unable to go on.
        Failed(Failed) = "failed",
        /// What became of reports.
        ReportsDone(Vec<ReportDone>) = "reports-done",
        /// What became of events.
        EventsDone(Vec<EventDone>) = "events-done",
        /// What became of deliveries.
        DeliveriesDone(Vec<DeliveryDone>) = "deliveries-done",
        /// What became of a [`Listen`].
        Listened(Numbered<Result<(), Error>>) = "listened",
        /// The answer to an [`HttpCall`].
        HttpReply(Numbered<Result<HttpReply, Error>>) = "http-reply",
        /// The answer to a [`CredentialQuestion`].
        Credential(Numbered<Result<Option<ProviderCredential>, Error>>) = "credential",
        /// A provider's credential that this backend offers changed.
        CredentialChanged(CredentialQuestion) = "credential-changed",
        /// A transport that could not deliver can do so again.
        TransportReady(TransportReady) = "transport-ready",
        /// Events to keep until every handler has dealt with them.
        Publish(Numbered<Publish>) = "publish",
        /// An event for the handlers that run now, whose answers are asked for.
        Request(Numbered<Event>) = "request",
        /// A question for a provider's credential.
        AskCredential(Numbered<CredentialQuestion>) = "ask-credential",
        /// Log records.
        Log(Vec<LogRecord>) = "log",
        /// The answer to a ping.
        Pong(u64) = "pong",
        /// Ended; the last frame.
        Stopped(()) = "stopped",
    }
}

impl ToHost {
    /// Takes another frame's items into this one, where both are batches of one kind, so that a
    /// burst of single results crosses as one frame. Gives the other one back where it cannot.
    pub fn absorb(&mut self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::ReportsDone(items), Self::ReportsDone(more)) => items.extend(more),
            (Self::EventsDone(items), Self::EventsDone(more)) => items.extend(more),
            (Self::DeliveriesDone(items), Self::DeliveriesDone(more)) => items.extend(more),
            (Self::Log(items), Self::Log(more)) => items.extend(more),
            (_, other) => return Some(other),
        }
        None
    }
}

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: BytesMut,
}

impl Splitter {
    /// The buffer that bytes from the stream are appended to.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole frame, without its length; `None` until more bytes are there.
    ///
    /// # Errors
    ///
    /// The announced length is over [`MAX_FRAME_BYTES`]: the stream is of no use any more.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let Some(header) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*header) as usize;
        if length > MAX_FRAME_BYTES {
            return Err(DecodeError::TooLarge(length));
        }
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}
