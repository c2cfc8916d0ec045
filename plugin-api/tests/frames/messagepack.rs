//! MessagePack as it is, without the types of the frames: what an older or newer peer may send.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Any MessagePack value. Maps keep their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Any {
    Nil,
    Flag(bool),
    Unsigned(u64),
    Signed(i64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Any>),
    Map(Vec<(String, Any)>),
}

/// A frame without its length.
pub(crate) fn frame(tag: &str, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::try_from(tag.len()).unwrap()];
    frame.extend_from_slice(tag.as_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The tag and the body of a frame without its length.
pub(crate) fn parts(frame: &[u8]) -> (&str, Any) {
    let (tag, body) = frame[1..].split_at(usize::from(frame[0]));
    let body = rmp_serde::from_slice(body).unwrap();
    (std::str::from_utf8(tag).unwrap(), body)
}

/// A body that ends in lists of one list each, so many of them that `Any` cannot hold them.
pub(crate) fn nested(body: impl Fn(Any) -> Any, depth: usize) -> Vec<u8> {
    const NIL: u8 = 0xc0;
    const LIST_OF_ONE: u8 = 0x91;
    const NUMBER: u8 = 0x01;
    let mut bytes = body(Any::Nil).encoded();
    assert_eq!(bytes.pop(), Some(NIL), "the place of the lists is the end");
    bytes.resize(bytes.len() + depth, LIST_OF_ONE);
    bytes.push(NUMBER);
    bytes
}

pub(crate) fn map<const N: usize>(fields: [(&str, Any); N]) -> Any {
    Any::Map(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

impl Any {
    pub(crate) fn encoded(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).unwrap()
    }
}

impl From<&str> for Any {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u32> for Any {
    fn from(number: u32) -> Self {
        Self::Unsigned(number.into())
    }
}

impl<const N: usize> From<[Any; N]> for Any {
    fn from(values: [Any; N]) -> Self {
        Self::List(values.into())
    }
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Self::Map(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that frames use")
    }

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Nil)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Any, E> {
        Ok(Any::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any, E> {
        Ok(Any::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Any, E> {
        Ok(Any::Signed(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Any, E> {
        Ok(text.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Any, E> {
        Ok(Any::Bytes(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Any, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Any::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Any::Map(fields))
    }
}
