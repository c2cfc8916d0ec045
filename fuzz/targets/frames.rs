//! What a plugin that is broken or hostile says to the host, and the other way round.
#![no_main]

use belfry_plugin_api::frame::{Splitter, ToHost, ToPlugin};
use libfuzzer_sys::fuzz_target;

/// The sizes of the pieces that a stream arrives in.
const PIECE_BYTES: usize = 7;

fuzz_target!(|stream: &[u8]| {
    let at_once = cut(stream.chunks(stream.len().max(1)));
    let in_pieces = cut(stream.chunks(PIECE_BYTES));
    assert_eq!(
        at_once, in_pieces,
        "frames depend on how the stream was cut"
    );
    for frame in &at_once {
        decode(frame);
    }
    decode(stream);
});

/// All frames of a stream, up to the first that cannot be believed.
fn cut<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut splitter = Splitter::default();
    let mut frames = Vec::new();
    for piece in pieces {
        splitter.buffer().extend_from_slice(piece);
        loop {
            match splitter.next_frame() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}

/// Whatever could be read can be written, and then means the same.
fn decode(frame: &[u8]) {
    macro_rules! again {
        ($frames:ty) => {
            if let Ok(read) = <$frames>::decode(frame) {
                let mut splitter = Splitter::default();
                read.encode(splitter.buffer())
                    .expect("a frame that was read");
                let written = splitter.next_frame().ok().flatten().expect("a whole frame");
                assert_eq!(<$frames>::decode(&written).ok(), Some(read));
            }
        };
    }
    again!(ToHost);
    again!(ToPlugin);
}
