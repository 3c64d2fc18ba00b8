//! The record log: the device's memory of its updates, which no torn write can confuse.
//!
//! The bytes are on `docs/records.md`, which is normative; what is expected of the flash on `docs/flash-contract.md`.
//!
//! ```text
//!   grid  <-  payload  <-  reader  <-  read   \
//!             (state)      (a record)  (a log)  >  log: Log and Work  <-  the machine, Control, the boot stage
//!                                      write  /
//! ```
//!
//! Nothing here does I/O: a [`Work`] says what is to be read, erased and programmed, and is told how it went.

mod grid;
mod log;
mod payload;
mod read;
mod reader;
mod state;
mod transition;
mod write;

pub(crate) use log::{Log, Request, Stride, Work};
pub(crate) use payload::{Checkpoint, Token};
#[cfg(feature = "rotation")]
pub(crate) use state::PLACES;
pub use state::{ImageId, Reason};
pub(crate) use state::{Phase, Places, State};
// What `sim::records` shows the log with.
#[cfg(feature = "sim")]
pub(crate) use {
    payload::{Header, Kind, MAX_BODY},
    reader::{Found, Outcome, Place, Reader},
};
