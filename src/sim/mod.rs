//! A NOR flash that tears, forgets and refuses like a real one, and worse.
//!
//! For tests on a host. [`Flash`] implements the `embedded_storage` traits (and the async ones with feature
//! `async`) over the sectors of a [`Geometry`](crate::geometry::Geometry). It keeps what is *true* of every
//! unit apart from what it reads: a sector whose erase was cut may read blank, and programming it is a
//! violation all the same. It is no model of time, wear or buses.
//!
//! - *Steps*: each unit programmed and each sector erased is a step, and power may be cut in any of them with
//!   any [`Outcome`].
//! - *Rules*: breaches of the flash contract are errors and stay in [`Flash::violations`].
//! - *Oracle*: [`Flash::oracle`] knows which bytes were ever authentic.
//! - *Conformance*: [`conformance`] judges any `NorFlash`: a wrapper, a driver over a simulated bus, a chip
//!   behind a probe.
//! - *Records*: [`records`] shows the record log of any `NorFlash`, sector by sector.
//!
//! Every cut point of an update, each with every class of outcome:
//!
//! ```
//! use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
//! use lockgate::{geometry, sim::{Error, Flash, Outcome}};
//!
//! fn update(flash: &mut Flash) -> Result<(), Error> {
//!     flash.erase(0, 1024)?;
//!     flash.write(0, b"new firmware")
//! }
//!
//! let mut undisturbed = Flash::new(&geometry::NRF51822);
//! update(&mut undisturbed)?;
//! assert_eq!(undisturbed.steps(), 1 + 3); // one sector, three units of 4 bytes
//!
//! for step in 0..undisturbed.steps() {
//!     for &outcome in Outcome::CLASSES {
//!         let mut flash = Flash::new(&geometry::NRF51822).seed(step);
//!         flash.cut_at(step, outcome);
//!         assert_eq!(update(&mut flash), Err(Error::PowerCut));
//!         assert!(flash.cut_fired());
//!
//!         flash.power_on();
//!         update(&mut flash)?; // it erases first, so no cut can harm it
//!         let mut bytes = [0; 12];
//!         flash.read(0, &mut bytes)?;
//!         assert_eq!(&bytes, b"new firmware");
//!         assert!(flash.violations().is_empty());
//!     }
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! # Torn units
//!
//! A unit whose programming was cut and which *reads erased* may be programmed: no software can know better.
//! What it cannot do is heal the unit: bits that were pending in the cut, were metastable and are not
//! programmed now stay metastable. A read-back right after succeeds and a later boot may read something else.
//! Programming the unit with all bits settles it.
//!
//! A sector whose erase was cut may never be programmed before another erase, even if everything in it
//! landed.

mod cells;
mod conformance;
mod error;
mod fault;
mod flash;
mod log;
mod operate;
mod oracle;
mod records;
mod rng;
#[cfg(feature = "async")]
mod twin;

pub use conformance::{conformance, Check, Finding, Report};
pub use error::Error;
pub use fault::{Landed, Outcome, Stability};
pub use flash::{Flash, Programming};
pub use log::{Counters, Op};
pub use oracle::{Rule, Violation};
pub use records::{records, LogCheckpoint, LogPhase, LogSector, LogState, Records, StrideUse};
