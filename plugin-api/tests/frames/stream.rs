//! Frames in a stream of bytes, which arrives in pieces of any size.

use belfry_plugin_api::frame::{DecodeError, MAX_FRAME_BYTES, Splitter, ToHost};
use proptest::prelude::*;

use crate::{Frame, strategy};

fn drain(splitter: &mut Splitter) -> Vec<ToHost> {
    std::iter::from_fn(|| splitter.next_frame().unwrap())
        .map(|frame| ToHost::decode(&frame).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn the_same_frames_come_out_however_the_stream_is_cut(
        frames in proptest::collection::vec(strategy::to_host(), 0..6),
        pieces in proptest::collection::vec(1_usize..64, 1..64),
    ) {
        let stream: Vec<u8> = frames.iter().flat_map(Frame::encoded).collect();
        let mut splitter = Splitter::default();
        let mut arrived = Vec::new();
        let mut rest = &stream[..];
        for length in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at((*length).min(rest.len()));
            splitter.buffer().extend_from_slice(piece);
            arrived.extend(drain(&mut splitter));
            rest = later;
        }
        prop_assert_eq!(arrived, frames);
        prop_assert!(splitter.buffer().is_empty());
    }

    #[test]
    fn an_arbitrary_stream_is_cut_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let mut splitter = Splitter::default();
        splitter.buffer().extend_from_slice(&bytes);
        while let Ok(Some(frame)) = splitter.next_frame() {
            let _ = ToHost::decode(&frame);
        }
    }
}

#[test]
fn a_frame_is_announced_up_to_the_limit_and_not_beyond() {
    let announce = |length: usize| {
        let mut splitter = Splitter::default();
        let length = u32::try_from(length).unwrap();
        splitter.buffer().extend_from_slice(&length.to_le_bytes());
        splitter.next_frame()
    };
    assert!(matches!(announce(MAX_FRAME_BYTES), Ok(None)));
    for length in [MAX_FRAME_BYTES + 1, u32::MAX as usize] {
        match announce(length) {
            Err(DecodeError::TooLarge(told)) => assert_eq!(told, length),
            other => panic!("{length} bytes were announced: {other:?}"),
        }
    }
}
