//! An update in memory that C gives: device, buffers and updater, which refers to the others.
//!
//! No reference to the whole is ever made, only to its parts: the updater holds the buffers.

use core::mem::size_of;
use core::ptr::addr_of_mut;

use lockgate::{Block, Control, Device, Error, Updater, Verified, Workspace};

use crate::device::{Parts, Patient};
use crate::error::{self, Code, Report};
use crate::flash::{Flash, FlashError};
use crate::header::number;
use crate::stack::Stack;

const SIZE: usize = number("LOCKGATE_SIZE") as usize;
/// The memory lies on a word, as allocators for this chip give it; the state in it needs more.
const ALIGNMENT: usize = 8;

/// Blocks of up to so many bytes: `lockgate pack --block-size`.
const BLOCK: usize = number("LOCKGATE_BLOCK_SIZE") as usize;
/// Room to decode in.
const WORKSPACE: usize = number("LOCKGATE_WORKSPACE") as usize;

/// `lockgate_t`
#[derive(Debug)]
#[repr(C)]
pub struct Memory([u32; SIZE / 4]);

pub(crate) type Update = Updater<'static, Flash, Patient>;

#[repr(C, align(8))]
struct State {
    begun: u32,
    last: Report,
    stack: Stack,
    device: Device<'static>,
    block: Block<BLOCK>,
    workspace: Workspace<WORKSPACE>,
    updater: Update,
}

/// Says that the rest of a state is there.
const BEGUN: u32 = 0x6c67_7531;

// On the chip, and wherever else a pointer is a word.
const _: () = assert!(
    size_of::<usize>() != 4 || size_of::<State>() + ALIGNMENT - 4 == SIZE,
    "LOCKGATE_SIZE is not what a state and its alignment need"
);

/// Where the state lies in the memory.
fn place(memory: *mut Memory) -> Option<*mut State> {
    if memory.is_null() || !memory.addr().is_multiple_of(4) {
        return None;
    }
    let skip = memory.addr().next_multiple_of(ALIGNMENT) - memory.addr();
    Some(memory.wrapping_byte_add(skip).cast())
}

/// Calls `act` with the session in `memory`.
///
/// # Safety
///
/// `memory` is null or a `lockgate_t`, and nobody else uses it meanwhile.
pub(crate) unsafe fn with(memory: *mut Memory, act: impl FnOnce(&mut Session) -> Code) -> Code {
    let Some(state) = place(memory) else { return error::ARGUMENT };
    // SAFETY: it lies in the memory, which is readable; every word is a number.
    if unsafe { addr_of_mut!((*state).begun).read() } != BEGUN {
        return error::NOT_BEGUN;
    }
    act(&mut Session(state))
}

/// A state that was begun. No two are about at once: it is made for the length of a call.
pub(crate) struct Session(*mut State);

impl Session {
    /// Begins a session in `memory`.
    ///
    /// # Safety
    ///
    /// As [`with`]; the memory stays where it is.
    #[inline(never)] // an empty workspace lies on the stack meanwhile: not on the caller's
    pub(crate) unsafe fn begin(memory: *mut Memory, parts: Parts) -> Code {
        let Some(state) = place(memory) else { return error::ARGUMENT };
        // SAFETY: the state lies in the memory, aligned. Its parts are written before they are referred to; each is referred to by the updater
        // alone from then on (the device is only read), and stays as long as the updater.
        unsafe {
            addr_of_mut!((*state).begun).write(0);
            addr_of_mut!((*state).last).write(Report::of(error::OK));
            addr_of_mut!((*state).stack).write(parts.stack);
            addr_of_mut!((*state).device).write(parts.device);
            addr_of_mut!((*state).block).write(Block::new());
            addr_of_mut!((*state).workspace).write(Workspace::new());
            let device: &'static Device<'static> = &*addr_of_mut!((*state).device);
            let block: &'static mut Block<BLOCK> = &mut *addr_of_mut!((*state).block);
            let workspace: &'static mut Workspace<WORKSPACE> = &mut *addr_of_mut!((*state).workspace);
            let updater = Update::with_verifier(device, parts.flash, block, parts.verifier).workspace(workspace);
            addr_of_mut!((*state).updater).write(updater);
            addr_of_mut!((*state).begun).write(BEGUN);
        }
        error::OK
    }

    fn updater(&mut self) -> &mut Update {
        // SAFETY: it was written by `begin`, and this borrows the only session.
        unsafe { &mut *addr_of_mut!((*self.0).updater) }
    }

    /// The outcome of the last call that can fail.
    pub(crate) fn last(&self) -> Report {
        // SAFETY: it was written by `begin`.
        unsafe { addr_of_mut!((*self.0).last).read() }
    }

    /// Does what cannot fail.
    pub(crate) fn ask(&mut self, act: impl FnOnce(&mut Update)) -> Code {
        act(self.updater());
        error::OK
    }

    /// Does what can fail, and keeps the outcome.
    pub(crate) fn note(&mut self, act: impl FnOnce(&mut Update) -> Result<(), Error<FlashError>>) -> Code {
        // SAFETY: it was written by `begin`.
        let stack = unsafe { addr_of_mut!((*self.0).stack).read() };
        stack.run(|| {
            let report = act(self.updater()).map_or_else(|error| Report::from(&error), |()| Report::of(error::OK));
            // SAFETY: it was written by `begin`, and needs no drop.
            unsafe { addr_of_mut!((*self.0).last).write(report) };
            report.code
        })
    }

    /// Asks the boot stage to try what `act` verified.
    pub(crate) fn try_next(&mut self, act: impl FnOnce(&mut Update) -> Result<Verified, Error<FlashError>>) -> Code {
        // SAFETY: it was written by `begin`, and is only read.
        let device: &Device<'static> = unsafe { &*addr_of_mut!((*self.0).device) };
        self.note(|updater| {
            let verified = act(updater)?;
            // By the updater's own flash: it will read the records again.
            Control::new(device, updater.flash()).try_next(verified)
        })
    }
}

/// `lockgate_progress_t`
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Progress {
    received: u32,
    package: u32,
    written: u32,
    image: u32,
}

const _: () = assert!(size_of::<Progress>() == number("LOCKGATE_PROGRESS_SIZE") as usize);

impl From<lockgate::Progress> for Progress {
    fn from(progress: lockgate::Progress) -> Self {
        Self {
            received: progress.received,
            package: progress.package.unwrap_or(0),
            written: progress.written,
            image: progress.image.unwrap_or(0),
        }
    }
}
