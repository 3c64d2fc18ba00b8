//! The record log in the picture: what its state means, and how full its sectors are.

use lockgate::sim::{self, LogPhase, LogSector, LogState, Records, StrideUse};
use lockgate::{Digest, Strategy};
use serde_json::{json, Value};

use crate::board::Board;
use crate::flash_file::FileFlash;
use crate::slots::kib;
use crate::style::{count, grouped, Tone};

/// Cells of a sector's strip at the most.
const CELLS: usize = 64;
/// Digits of a digest that people compare.
const SHORT: usize = 16;

/// The log in a flash that holds `bytes`.
pub(super) fn read(board: &Board, bytes: &[u8]) -> Records {
    sim::records(board.layout(), FileFlash::holding(board, bytes).chip())
}

/// What the log says, a line for each thing: a label, and the text.
pub(crate) fn lines(records: &Records, strategy: Strategy) -> Vec<(&'static str, String)> {
    let Some(state) = records.state else {
        return vec![("phase", "no records: the boot stage tells from the trailers what runs".into())];
    };
    let mut lines = vec![("phase", phase(&state, strategy))];
    let next = match state.next_counter {
        next if next > state.security_counter && state.phase != LogPhase::Confirmed => {
            format!(", {next} once the update is confirmed")
        }
        _ => String::new(),
    };
    lines.push(("confirmed", format!("slot {}, security counter {}{next}", state.slot, state.security_counter)));
    if state.keys != 0 || state.base != 0 {
        let under =
            |place: u8| if place == 0 { "the keys built in".into() } else { format!("the set in place {place}") };
        let text =
            format!("{} sign updates; the confirmed image counts under {}", under(state.keys), under(state.base));
        lines.push(("keys", text));
    }
    if let Some(manifest) = state.manifest {
        lines.push(("update", format!("manifest {}, start number {}", short(&manifest), state.start)));
    }
    if let Some(checkpoint) = records.checkpoint {
        let offset = grouped(checkpoint.offset.into());
        lines.push(("checkpoint", format!("an install goes on at byte {offset} of the image")));
    }
    if let Some(reason) = state.reason {
        lines.push(("reverted", reason.to_string()));
    }
    if let Some(failed) = state.failed {
        lines.push(("failed", format!("image {}: refused from now on", hex(&failed))));
    }
    if !state.durable {
        lines.push((
            "note",
            "the state is in doubt (it or what lies behind it was cut): the next boot writes it again".into(),
        ));
    }
    lines
}

/// The phase in words.
fn phase(state: &LogState, strategy: Strategy) -> String {
    let LogState { step, limit, extent, .. } = *state;
    match state.phase {
        LogPhase::Confirmed => "confirmed: no update is under way".into(),
        LogPhase::Receiving => "receiving: an update is written, or waits for its receipt to be used".into(),
        LogPhase::Pending => "pending: an update is verified, and tried at the next boot".into(),
        LogPhase::Trial if strategy == Strategy::Swap && step == 0 => "trial: the slots are exchanged".into(),
        LogPhase::Trial if step >= limit.into() => match state.reason {
            Some(_) => "trial: given up, the next boot goes back".into(),
            None => format!("trial: all {limit} attempts are used, the next boot goes back"),
        },
        LogPhase::Trial => format!("trial: attempt {step} of {limit} is used"),
        LogPhase::Swapping => {
            format!("swapping: {} of the exchange done, {extent} image sectors move", half_steps(step))
        }
        LogPhase::Reverting => {
            format!("reverting: {} of the exchange back done, {extent} image sectors move", half_steps(step))
        }
        _ => "a phase that this tool does not know".into(),
    }
}

fn half_steps(step: u16) -> String {
    count(step.into(), "half-step", "half-steps")
}

/// The slots are being exchanged, or changed back.
pub(super) fn exchanging(records: &Records) -> bool {
    records.state.is_some_and(|state| matches!(state.phase, LogPhase::Swapping | LogPhase::Reverting))
}

/// A sector's strides in a strip of cells; each shows the most telling of its strides.
pub(super) fn cells(sector: &LogSector) -> Vec<StrideUse> {
    let each = sector.strides.len().div_ceil(CELLS).max(1);
    let cells = sector.strides.chunks(each);
    cells.map(|strides| strides.iter().copied().max().unwrap_or(StrideUse::Free)).collect()
}

/// `generation 3, current, 12 of 64 strides used`
pub(super) fn note(sector: &LogSector) -> String {
    let name = sector.generation.map_or("no header".into(), |number| format!("generation {number}"));
    let current = if sector.current { ", current" } else { "" };
    format!("{name}{current}, {} of {} strides used", used(sector), sector.strides.len())
}

/// Strides that are not free.
pub(super) fn used(sector: &LogSector) -> usize {
    sector.strides.iter().filter(|&&stride| stride != StrideUse::Free).count()
}

/// Sectors with anything in them.
pub(super) fn shown(records: &Records) -> impl Iterator<Item = &LogSector> {
    records.sectors.iter().filter(|sector| used(sector) > 0)
}

/// `6 sectors erased; a stride is 64 B`
pub(super) fn rest(records: &Records) -> String {
    let erased = records.sectors.len() - shown(records).count();
    format!("{} erased; a stride is {}", count(erased as u64, "sector", "sectors"), kib(records.stride))
}

/// A stride's letter, and how it is painted.
pub(super) fn glyph(stride: StrideUse) -> (Tone, &'static str) {
    match stride {
        StrideUse::Free => (Tone::Quiet, "·"),
        StrideUse::Void => (Tone::Bad, "x"),
        StrideUse::Notes => (Tone::Doubt, "n"),
        StrideUse::Checkpoint => (Tone::Trailer, "c"),
        StrideUse::State => (Tone::Good, "S"),
        StrideUse::Header => (Tone::Strong, "H"),
        _ => (Tone::Doubt, "?"),
    }
}

/// What the letters stand for.
pub(super) const LEGEND: [(StrideUse, &str); 6] = [
    (StrideUse::Header, "header"),
    (StrideUse::State, "state"),
    (StrideUse::Checkpoint, "checkpoint"),
    (StrideUse::Notes, "notes of openings"),
    (StrideUse::Void, "no valid record"),
    (StrideUse::Free, "free"),
];

/// The log for programs.
pub(super) fn value(records: &Records) -> Value {
    json!({
        "stride": records.stride,
        "sectors": records.sectors.iter().map(sector).collect::<Vec<_>>(),
        "state": records.state.map(|state| self::state(&state)),
        "checkpoint": records.checkpoint.map(|checkpoint| json!({
            "offset": checkpoint.offset,
            "payload": checkpoint.payload,
        })),
    })
}

fn sector(sector: &LogSector) -> Value {
    json!({
        "start": sector.start,
        "size": sector.size,
        "generation": sector.generation,
        "current": sector.current,
        "strides_used": used(sector),
        "strides_free": sector.strides.len() - used(sector),
        "strides": sector.strides.iter().map(|&stride| glyph(stride).1.replace('·', ".")).collect::<String>(),
    })
}

fn state(state: &LogState) -> Value {
    json!({
        "phase": format!("{:?}", state.phase).to_lowercase(),
        "confirmed": state.slot.to_string(),
        "security_counter": state.security_counter,
        "next_security_counter": state.next_counter,
        "attempts": if state.phase == LogPhase::Trial { Some(state.step) } else { None },
        "attempts_allowed": if state.phase == LogPhase::Trial { Some(state.limit) } else { None },
        "half_steps": match state.phase {
            LogPhase::Swapping | LogPhase::Reverting => Some(state.step),
            _ => None,
        },
        "start": state.start,
        "manifest_digest": state.manifest.map(|digest| digest.to_string()),
        "reverted": state.reason.map(|reason| reason.to_string()),
        "failed_image": state.failed.map(|id| hex(&id)),
        "durable": state.durable,
    })
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(SHORT).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
