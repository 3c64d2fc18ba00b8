//! The stack that the work is done on: the caller's own, or one that C gives, since the SDK's is too small for a signature check.

use crate::error::{self, Code};
use crate::header::number;

const SIZE: u32 = number("LOCKGATE_STACK_SIZE");

/// A stack of C's, by the end where it begins; or the caller's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack(Option<usize>);

impl Stack {
    /// `stack` and its size, null for the caller's.
    pub(crate) fn new(stack: *mut u32, size: u32) -> Result<Self, Code> {
        if stack.is_null() {
            return Ok(Self(None));
        }
        let top = stack.addr().checked_add(size as usize).ok_or(error::ARGUMENT)?;
        // A stack pointer is a multiple of 16.
        if !stack.addr().is_multiple_of(4) || size < SIZE {
            return Err(error::ARGUMENT);
        }
        Ok(Self(Some(top & !15)))
    }

    /// Does `work` on it.
    pub(crate) fn run(self, work: impl FnOnce() -> Code) -> Code {
        match self.0 {
            None => work(),
            Some(top) => switch(top, work),
        }
    }
}

fn switch<W: FnOnce() -> Code>(top: usize, work: W) -> Code {
    extern "C" {
        /// `rt/stack.S`
        fn lockgate_on_stack(top: usize, function: *const u8, context: *mut u8) -> u32;
    }

    /// # Safety
    ///
    /// `context` is a work that was not done.
    unsafe extern "C" fn call<W: FnOnce() -> Code>(context: *mut Option<W>) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { (*context).take() }.map_or(error::OTHER, |work| work())
    }

    let mut work = Some(work);
    let function: unsafe extern "C" fn(*mut Option<W>) -> u32 = call::<W>;
    // SAFETY: `lockgate.h` asks for a stack that nobody uses meanwhile; `call` gets what it asks for, and returns.
    unsafe { lockgate_on_stack(top, function as *const u8, (&raw mut work).cast()) }
}
