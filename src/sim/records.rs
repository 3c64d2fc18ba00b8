//! The record log as a tool shows it: every sector, stride by stride, and the state that holds.
//!
//! Read by the code that devices read it with; `docs/records.md` says what the words mean.

use std::vec::Vec;

use embedded_storage::nor_flash::NorFlash;

use crate::control::carry_out;
use crate::digest::{Digest, Sha2};
use crate::geometry::Sector;
use crate::layout::{Layout, Slot};
use crate::records::{
    Checkpoint, Found, Header, Kind, Log, Outcome, Phase, Place, Reader, Reason, State, Stride, Work, MAX_BODY,
};

/// The record log of a flash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Records {
    /// Bytes of a stride.
    pub stride: u32,
    /// Every sector of the ring, from the lowest address up.
    pub sectors: Vec<LogSector>,
    /// The state that holds; none if there is no log.
    pub state: Option<LogState>,
    /// Where the install under way goes on after a reset; none if none is, or it starts over.
    pub checkpoint: Option<LogCheckpoint>,
}

/// A sector of the log; on chips with sectors below 1024 bytes several of them, erased together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogSector {
    /// Its first address.
    pub start: u32,
    /// Its bytes.
    pub size: u32,
    /// Its generation, if its header is valid.
    pub generation: Option<u32>,
    /// Records are appended to it.
    pub current: bool,
    /// What its strides hold, in order.
    pub strides: Vec<StrideUse>,
}

/// What a stride holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StrideUse {
    /// It reads blank.
    Free,
    /// Something that is no valid record: a record that was cut, or another program's bytes.
    Void,
    /// The last stride, with notes of openings.
    Notes,
    /// A part of a checkpoint.
    Checkpoint,
    /// A part of a state.
    State,
    /// The sector's header.
    Header,
}

/// What becomes of the update that was started last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogPhase {
    /// It is confirmed, has failed, or never was.
    Confirmed,
    /// It is being written to its slot, or waits there for its receipt to be used.
    Receiving,
    /// It is verified, and tried at the next boot.
    Pending,
    /// It is being exchanged into slot A.
    Swapping,
    /// It runs on trial.
    Trial,
    /// It is being exchanged back.
    Reverting,
}

/// The device's memory of its updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogState {
    /// Number of the update started last, modulo 65536.
    pub start: u16,
    /// What becomes of it.
    pub phase: LogPhase,
    /// The confirmed image's slot.
    pub slot: Slot,
    /// The device's security counter, and what it will be once the update is confirmed.
    pub security_counter: u32,
    /// See [`security_counter`](Self::security_counter).
    pub next_counter: u32,
    /// Attempts used (on trial), half-steps done (in an exchange), times that another bootloader was asked; else 0.
    pub step: u16,
    /// Attempts allowed (on trial); else 0.
    pub limit: u8,
    /// Image sectors that are exchanged (swap), or bytes of the image (another bootloader); else 0.
    pub extent: u32,
    /// Why the last update did not stay.
    pub reason: Option<Reason>,
    /// The last update's manifest digest, if there was one.
    pub manifest: Option<Digest>,
    /// The first 16 bytes of the digest of the image that failed last.
    pub failed: Option<[u8; 16]>,
    /// The key store's place of the trusted key set, 1 to 3; 0: the set built into the device.
    pub keys: u8,
    /// The same, of the set under which the confirmed image counts.
    pub base: u8,
    /// The update started last counts under that set, too.
    pub older: bool,
    /// Nothing can put it in doubt: its record is sealed, and nothing torn lies behind it.
    pub durable: bool,
}

/// Where an install goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogCheckpoint {
    /// Bytes of the image that are in the slot: a sector's first byte.
    pub offset: u32,
    /// Bytes of the payload, links not counted, that made them.
    pub payload: u32,
}

/// Reads the record log of `layout` in `flash`. Writes nothing; what cannot be read is no record.
pub fn records<F: NorFlash>(layout: &Layout, flash: &mut F) -> Records {
    let mut log = Log::new(layout, F::READ_SIZE, F::WRITE_SIZE);
    let mut work = Work::load(&mut log);
    // Reading does not fail: what cannot be read is no record.
    let _ = carry_out::<F, Sha2>(&mut log, &mut work, flash);
    let mut sectors = Vec::new();
    let mut next = Some(log.first()).filter(|sector| sector.size > 0);
    while let Some(sector) = next {
        sectors.push(look(&log, sector, flash));
        next = log.after(sector);
    }
    let checkpoint = log.held().filter(|held| held.offset > 0);
    Records {
        stride: log.grid.stride(),
        sectors,
        state: log.state.map(|state| LogState::of(&state, log.durable)),
        checkpoint: checkpoint.map(|Checkpoint { offset, payload, .. }| LogCheckpoint { offset, payload }),
    }
}

/// One sector, place by place as `docs/records.md`, section 1, reads it.
fn look<F: NorFlash>(log: &Log<'_>, sector: Sector, flash: &mut F) -> LogSector {
    let strides = log.strides(sector);
    let mut uses = Vec::new();
    let mut number = None;
    while (uses.len() as u16) < strides {
        let at = uses.len() as u16;
        let mut body = [0; MAX_BODY];
        let Outcome { used, record } = read(log, sector, at, number, &mut body, flash);
        let kind = record.and_then(|record| kind(&record, &body, at, log.grid.unit()).map(|kind| (kind, record)));
        match kind {
            Some((kind, record)) => {
                if kind == StrideUse::Header {
                    number = Header::decode(&body, log.grid.unit()).map(|header| header.generation);
                }
                let held = record.extent;
                uses.extend((0..held).map(|_| kind));
            }
            None => uses.push(if used > 0 { StrideUse::Void } else { StrideUse::Free }),
        }
    }
    uses.truncate(strides.into());
    let Outcome { used, .. } = read(log, sector, strides, None, &mut [0; MAX_BODY], flash);
    uses.push(if used > 0 { StrideUse::Notes } else { StrideUse::Free });
    let current = log.current.exists() && log.current.start == sector.start;
    LogSector { start: sector.start, size: sector.size, generation: number, current, strides: uses }
}

/// The record that may begin at a stride. Without the header's generation no record but a header is valid.
fn read<F: NorFlash>(
    log: &Log<'_>,
    sector: Sector,
    stride: u16,
    generation: Option<u32>,
    body: &mut [u8; MAX_BODY],
    flash: &mut F,
) -> Outcome {
    let least = log.least.into();
    let place = Place { first: stride, strides: log.strides(sector), generation: generation.unwrap_or(0) };
    let mut reader = Reader::new();
    let mut room = Stride::new();
    loop {
        let (at, len) = reader.wanted(log.grid, stride, least);
        let bytes = room.room(len);
        let outcome = flash.read(sector.start + at, bytes);
        if let Some(outcome) = reader.take::<Sha2>(log.grid, place, body, least, outcome.is_ok().then_some(bytes)) {
            return outcome;
        }
    }
}

/// What a record is, if what it says makes sense where it is.
fn kind(record: &Found, body: &[u8; MAX_BODY], at: u16, unit: u32) -> Option<StrideUse> {
    match record.kind {
        Kind::Header => Header::decode(body, unit).filter(|_| at == 0).map(|_| StrideUse::Header),
        _ if at == 0 => None,
        Kind::State => State::decode(body).map(|_| StrideUse::State),
        Kind::Checkpoint | Kind::Compressed => Some(StrideUse::Checkpoint),
    }
}

impl LogState {
    fn of(state: &State, durable: bool) -> Self {
        let State { start, security_counter, next_counter, phase, slot, step, extent, limit, reason, .. } = *state;
        Self {
            start,
            phase: match phase {
                Phase::Confirmed => LogPhase::Confirmed,
                Phase::Receiving => LogPhase::Receiving,
                Phase::Pending => LogPhase::Pending,
                Phase::Swapping => LogPhase::Swapping,
                Phase::Trial => LogPhase::Trial,
                Phase::Reverting => LogPhase::Reverting,
            },
            slot,
            security_counter,
            next_counter,
            step,
            limit,
            extent,
            reason,
            manifest: Some(state.update).filter(|digest| digest.0 != [0; 32]),
            failed: Some(state.failed.0).filter(|id| *id != [0; 16]),
            keys: state.places.keys,
            base: state.places.base,
            older: state.places.older,
            durable,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::geometry::{self, Geometry, Run};
    use crate::sim::Flash;
    use crate::trust::{KeySet, PublicKey};
    use crate::{Control, Uuid};

    const LAYOUT: Layout =
        Layout::new(&geometry::ESP8266_4M).records(0..0x2000).slots(0x2000..0x8000, 0x8000..0xE000).check();
    const PAGES: Layout = Layout::new(&Geometry::new("pages", &[Run { count: 128, size: 128 }], 4).erased_value(0x00))
        .records(0..0x800)
        .slots(0x800..0x1400, 0x1400..0x2000)
        .check();
    const KEYS: KeySet<'static> = KeySet::new(1, &[PublicKey([7; 64])]);
    const ANY: Uuid = Uuid([7; 16]);

    fn first_record(layout: &Layout) -> Flash {
        let mut flash = Flash::new(layout.geometry());
        Control::new(&Device::new(layout, ANY, ANY, KEYS), &mut flash).initialize(Slot::B, 7).unwrap();
        flash
    }

    fn strip(sector: &LogSector) -> std::string::String {
        let letter = |stride: &StrideUse| match stride {
            StrideUse::Free => '.',
            StrideUse::Void => 'x',
            StrideUse::Notes => 'n',
            StrideUse::Checkpoint => 'c',
            StrideUse::State => 'S',
            StrideUse::Header => 'H',
        };
        sector.strides.iter().map(letter).collect()
    }

    #[test]
    fn a_first_record_is_a_header_and_a_state() {
        for (layout, size, strides) in [(&LAYOUT, 4096, 64), (&PAGES, 1024, 16)] {
            let mut flash = first_record(layout);
            let found = records(layout, &mut flash);
            assert_eq!((found.stride, found.sectors.len()), (64, 2));
            let [first, second] = &found.sectors[..] else { panic!("{found:?}") };
            assert_eq!((first.start, first.size, first.generation, first.current), (0, size, Some(1), true));
            assert_eq!(strip(first), std::format!("{:.<strides$}", "HSS"));
            assert_eq!((second.generation, second.current), (None, false));
            let state = found.state.unwrap();
            assert_eq!((state.phase, state.slot, state.security_counter), (LogPhase::Confirmed, Slot::B, 7));
            assert_eq!((state.keys, state.base, state.older), (0, 0, false));
            assert!(state.durable && state.manifest.is_none() && state.reason.is_none() && found.checkpoint.is_none());
        }
    }

    #[test]
    fn what_is_no_record_is_shown_and_says_nothing() {
        let mut flash = first_record(&LAYOUT);
        let good = records(&LAYOUT, &mut flash);
        // A fence alone, bytes of another program, the valid state moved elsewhere.
        flash.poke(3 * 64, &[0; 4]);
        flash.poke(5 * 64 + 8, b"another program's");
        let state = flash.bytes()[64..192].to_vec();
        flash.poke(7 * 64, &state);
        let found = records(&LAYOUT, &mut flash);
        assert_eq!(strip(&found.sectors[0]), std::format!("{:.<64}", "HSSx.x.xx"));
        // What lies behind it may come to light: it is written again.
        assert_eq!(found.state, good.state.map(|state| LogState { durable: false, ..state }));
        // Without its header a sector's records are none.
        flash.poke(8, &[0; 4]);
        let found = records(&LAYOUT, &mut flash);
        assert_eq!(strip(&found.sectors[0]), std::format!("{:.<64}", "xxxx.x.xx"));
        assert_eq!((found.state, found.sectors[0].current), (None, false));
    }

    #[test]
    fn an_erased_and_a_noisy_flash_have_no_records() {
        for mut flash in [Flash::new(&geometry::ESP8266_4M), Flash::new(&geometry::ESP8266_4M).seed(1).used()] {
            let found = records(&LAYOUT, &mut flash);
            assert!(found.state.is_none() && found.sectors.iter().all(|sector| sector.generation.is_none()));
        }
    }
}
