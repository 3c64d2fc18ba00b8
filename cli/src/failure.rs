//! How a command fails: one line for people, an exit code for scripts.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A package or an image is refused, or a verification failed: exit code 1.
    Refused(String),
    /// The command line, a key or a description file makes no sense: exit code 2 (as clap's own).
    Usage(String),
    /// A file, a server or a program that was called failed: exit code 3.
    Io(String),
    /// Power was cut where `--cut-after` says: exit code 4.
    PowerCut(String),
}

impl Failure {
    /// A refusal of `what` (a file, a URL).
    pub(crate) fn refused(what: impl Display, why: impl Display) -> Self {
        Self::Refused(format!("{what}: {why}"))
    }

    /// A mistake in `what` (an option, a file and its field).
    pub(crate) fn usage(what: impl Display, why: impl Display) -> Self {
        Self::Usage(format!("{what}: {why}"))
    }

    /// An I/O failure on `path`.
    pub(crate) fn io(path: &Path, why: impl Display) -> Self {
        Self::Io(format!("{}: {why}", path.display()))
    }

    /// Says it on stderr, in one line, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (label, text, code) = match self {
            Self::Refused(text) => ("refused", text, 1),
            Self::Usage(text) => ("error", text, 2),
            Self::Io(text) => ("error", text, 3),
            Self::PowerCut(text) => ("power cut", text, 4),
        };
        eprintln!("{label}: {text}");
        ExitCode::from(code)
    }
}
