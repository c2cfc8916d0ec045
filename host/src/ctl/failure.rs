//! Why a command did not do what it was asked.

use std::path::PathBuf;

/// Why, in a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The host refused, or it went wrong.
    #[error("{0}")]
    Refused(String),
    /// No host answers.
    #[error("no host answers at {}: {why}", socket.display())]
    Unreachable {
        /// Where it was looked for.
        socket: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// Standard output cannot be written.
    #[error("the answer cannot be written: {0}")]
    Output(std::io::Error),
    /// Whoever read standard output has enough.
    #[error("nobody reads the answer")]
    NobodyReads,
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::NobodyReads => 0,
            Self::Refused(_) | Self::Output(_) => 1,
            Self::Unreachable { .. } => 3,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Output(error),
        }
    }
}
