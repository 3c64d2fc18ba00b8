//! What goes to standard output. `println!` would panic when a pipe's reader has gone (`lockgate inspect |
//! head -1`).

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Prints `text` and a line feed.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    text_only(format_args!("{text}\n"))
}

/// Prints `text` as it is.
pub(crate) fn text_only(text: impl Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Io(format!("standard output: {error}"))),
        _ => Ok(()),
    }
}

/// Prints `value` as one JSON object.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Io(format!("JSON: {error}")))?;
    line(text)
}
