//! Frames: what is encoded comes back, what is foreign is skipped, and no bytes do harm.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod evolution;
mod messagepack;
mod samples;
mod strategy;
mod stream;

use belfry_plugin_api::frame::{ToHost, ToPlugin};
use bytes::BytesMut;
use messagepack::{Any, map, parts};
use proptest::prelude::*;

/// A frame of either direction, for tests that concern both alike.
pub(crate) trait Frame: Sized + std::fmt::Debug + PartialEq {
    fn encoded(&self) -> Vec<u8>;
    fn decoded(frame: &[u8]) -> Result<Self, String>;
    fn unknown(tag: &str) -> Self;
    fn named(&self) -> &str;
}

macro_rules! frame {
    ($($name:ident),*) => {$(
        impl Frame for $name {
            fn encoded(&self) -> Vec<u8> {
                let mut buffer = BytesMut::new();
                self.encode(&mut buffer).unwrap();
                buffer.to_vec()
            }

            fn decoded(frame: &[u8]) -> Result<Self, String> {
                Self::decode(frame).map_err(|error| error.to_string())
            }

            fn unknown(tag: &str) -> Self {
                Self::Unknown(tag.to_owned())
            }

            fn named(&self) -> &str {
                self.tag()
            }
        }
    )*};
}

frame!(ToPlugin, ToHost);

/// The frame behind its length, which is checked.
pub(crate) fn without_length(encoded: &[u8]) -> &[u8] {
    let (length, frame) = encoded.split_first_chunk::<4>().unwrap();
    assert_eq!(u32::from_le_bytes(*length) as usize, frame.len());
    frame
}

fn comes_back<F: Frame>(frame: &F) {
    let encoded = frame.encoded();
    assert_eq!(&F::decoded(without_length(&encoded)).unwrap(), frame);
}

fn items(frame: &ToHost) -> Vec<Any> {
    match parts(without_length(&frame.encoded())) {
        (_, Any::List(items)) => items,
        (tag, _) => panic!("{tag} is no batch"),
    }
}

fn absorbs_or_gives_back(first: &ToHost, second: &ToHost) {
    const BATCHES: [&str; 4] = ["reports-done", "events-done", "deliveries-done", "log"];
    let mut frame = first.clone();
    match frame.absorb(second.clone()) {
        Some(given_back) => {
            assert!(first.tag() != second.tag() || !BATCHES.contains(&first.tag()));
            assert_eq!((&frame, &given_back), (first, second));
        }
        None => assert_eq!(items(&frame), [items(first), items(second)].concat()),
    }
}

proptest! {
    #[test]
    fn every_frame_for_a_plugin_comes_back_as_it_was(frame in strategy::to_plugin()) {
        comes_back(&frame);
    }

    #[test]
    fn every_frame_for_the_host_comes_back_as_it_was(frame in strategy::to_host()) {
        comes_back(&frame);
    }

    #[test]
    fn a_batch_absorbs_another_of_its_kind_in_order_and_gives_back_all_else(
        frames in proptest::collection::vec(strategy::to_host(), 8)
    ) {
        for (first, second) in frames.iter().zip(&frames[1..]).chain(frames.iter().zip(&frames)) {
            absorbs_or_gives_back(first, second);
        }
    }

    #[test]
    fn arbitrary_bytes_are_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = ToPlugin::decode(&bytes);
        let _ = ToHost::decode(&bytes);
    }

    /// Most arbitrary bytes already fail at the tag; these get as far as the body.
    #[test]
    fn arbitrary_bytes_behind_a_known_tag_are_a_frame_or_an_error(
        tag in proptest::sample::select(samples::tags()),
        body in proptest::collection::vec(any::<u8>(), 0..512),
    ) {
        let frame = messagepack::frame(tag, &body);
        let _ = ToPlugin::decode(&frame);
        let _ = ToHost::decode(&frame);
    }

    /// Damage to a real frame reaches decoders that arbitrary bytes do not.
    #[test]
    fn a_damaged_frame_is_a_frame_or_an_error(
        frame in strategy::to_host(),
        place in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let encoded = frame.encoded();
        let mut damaged = without_length(&encoded).to_vec();
        let place = place.index(damaged.len());
        damaged[place] = byte;
        let _ = ToHost::decode(&damaged);
        damaged.truncate(cut.index(damaged.len() + 1));
        let _ = ToHost::decode(&damaged);
    }
}

/// On the default stack of a thread, which is what readers of frames have.
fn decoded_on_a_thread(body: Vec<u8>) -> Result<ToHost, String> {
    let frame = messagepack::frame("request", &body);
    std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || ToHost::decoded(&frame))
        .unwrap()
        .join()
        .unwrap()
}

#[test]
fn a_property_may_be_nested_but_not_without_end() {
    let event = |property| {
        map([
            ("topic", "a".into()),
            ("properties", map([("deep", property)])),
        ])
    };
    let question = |property| map([("id", 1.into()), ("body", event(property))]);
    let decoded = decoded_on_a_thread(messagepack::nested(question, 32)).unwrap();
    assert_eq!(decoded.tag(), "request");
    for depth in [900, 100_000] {
        let error = decoded_on_a_thread(messagepack::nested(question, depth)).unwrap_err();
        assert!(error.contains("depth"), "{error}");
    }
}

#[test]
fn a_field_that_is_skipped_may_not_be_nested_without_end_either() {
    let question = |later| {
        let event = map([("topic", "a".into())]);
        map([("id", 1.into()), ("body", event), ("later", later)])
    };
    assert!(decoded_on_a_thread(messagepack::nested(question, 32)).is_ok());
    let error = decoded_on_a_thread(messagepack::nested(question, 100_000)).unwrap_err();
    assert!(error.contains("depth"), "{error}");
}

#[test]
fn a_frame_that_is_too_large_is_not_begun() {
    let body = vec![0; belfry_plugin_api::frame::MAX_FRAME_BYTES];
    let report = belfry_plugin_api::frame::Report {
        id: 1,
        route: "mail".into(),
        user: None,
        body: body.into(),
        received_at_ms: None,
    };
    let mut buffer = BytesMut::from(&b"what was there"[..]);
    let error = ToPlugin::Reports(vec![report])
        .encode(&mut buffer)
        .unwrap_err();
    assert!(error.to_string().contains("reports"), "{error}");
    assert_eq!(&buffer[..], b"what was there");
}

#[test]
fn a_tag_that_is_too_long_is_not_encoded() {
    let mut buffer = BytesMut::new();
    ToHost::Unknown("x".repeat(255))
        .encode(&mut buffer)
        .unwrap();
    buffer.clear();
    let error = ToHost::Unknown("x".repeat(256)).encode(&mut buffer);
    assert!(error.is_err());
    assert!(buffer.is_empty());
}

#[test]
fn what_has_no_readable_tag_is_refused() {
    for bytes in [&b""[..], b"\x05ping", b"\x02\xff\xff\xc0"] {
        let error = ToPlugin::decode(bytes).unwrap_err().to_string();
        assert_eq!(error, "a frame has no readable tag", "{bytes:?}");
    }
}

#[test]
fn a_body_of_another_form_is_refused_by_its_tag() {
    let frame = messagepack::frame("stop", b"\xa3now");
    let error = ToPlugin::decode(&frame).unwrap_err().to_string();
    assert!(error.contains("\"stop\""), "{error}");
}
