//! Room kept back, so that a queue on a full disk can still be emptied.
//!
//! SQLite needs room even to delete: the change goes to its log, and the log, to be used anew,
//! must first be brought into a file that may have to grow for it. On a full disk nothing would
//! move any more, and what was accepted could not be delivered. So a file without meaning is kept
//! beside the queue and given up when room runs out; until it can be had again, the queue accepts
//! nothing and lets what it has be delivered.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Twice what the log holds when it is brought into the file.
pub(super) const RESERVE_BYTES: usize = 16 * 1024 * 1024;
/// How often to look whether there is room again.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum State {
    Held,
    GivenUp {
        tried: Instant,
    },
    /// It cannot be had for a reason other than room; the queue works without it.
    Without,
}

#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    state: State,
}

impl Reserve {
    /// Takes over the reserve of the queue at `queue`, or sets one aside if there is room.
    pub(super) fn of(queue: &Path) -> Self {
        let mut path = queue.as_os_str().to_owned();
        path.push("-reserve");
        let path = PathBuf::from(path);
        let whole = fs::metadata(&path).is_ok_and(|it| it.len() == RESERVE_BYTES as u64);
        let mut reserve = Reserve {
            path,
            state: State::Held,
        };
        if !whole {
            reserve.set_aside();
        }
        reserve
    }

    pub(super) fn is_given_up(&self) -> bool {
        matches!(self.state, State::GivenUp { .. })
    }

    pub(super) fn give_up(&mut self) {
        if let State::Held = self.state {
            self.discard();
        }
    }

    /// Sets the reserve aside again if there is room; looks once in a while only.
    pub(super) fn recover(&mut self) {
        if let State::GivenUp { tried } = self.state
            && tried.elapsed() >= PAUSE
        {
            self.set_aside();
        }
    }

    fn discard(&mut self) {
        // Where it cannot be removed, there is nothing to gain from it.
        let _ = fs::remove_file(&self.path);
        self.state = State::GivenUp {
            tried: Instant::now(),
        };
    }

    fn set_aside(&mut self) {
        match write_incompressible(&self.path) {
            Ok(()) => self.state = State::Held,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) =>
            {
                self.discard();
            }
            Err(error) => {
                tracing::warn!(
                    path = %self.path.display(), %error,
                    "no room can be kept back for the delivery queue; should the disk be full \
                     one day, nothing is delivered until space is freed there"
                );
                self.state = State::Without;
            }
        }
    }
}

/// File systems that compress keep no room for zeros, and look at less than a block at a time.
fn write_incompressible(path: &Path) -> io::Result<()> {
    let mut block = vec![0_u8; 1024 * 1024];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for word in block.chunks_exact_mut(8) {
        // Marsaglia's xorshift64, <https://doi.org/10.18637/jss.v008.i14>.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes());
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    for _ in 0..RESERVE_BYTES / block.len() {
        file.write_all(&block)?;
    }
    Ok(())
}
