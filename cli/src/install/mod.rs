//! The device's side: lockgate's own updater on a flash in a file, and an independent look at what it did.
//!
//! Used by `lockgate install` and `lockgate demo`.

mod audit;
mod buffer;
mod outcome;
mod received;
mod report;
mod session;

pub(crate) use audit::Audit;
pub(crate) use buffer::{SIZES, WORKSPACES};
pub(crate) use outcome::{Done, Outcome};
pub(crate) use report::{line, Report};
pub(crate) use session::{Event, Session, Stopped};
