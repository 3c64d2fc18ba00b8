//! lockgate for projects in C on the vendor's SDK: `include/lockgate.h` is the interface, and says what each function does.
//!
//! The application downloads as it likes and feeds bytes; what is authentic is written by the SDK's own flash functions. All state lies in memory that
//! the caller gives ([`session`]). C's pointers are believed here, and only here: nothing below this boundary needs `unsafe`, but for the calls back.

#![no_std]

mod device;
mod error;
mod flash;
mod header;
mod session;
mod stack;
mod status;

use core::panic::PanicInfo;

use device::DeviceC;
use embedded_io::Write;
use error::Report;
use session::{Memory, Progress, Session};
use status::Status;

/// `lockgate_begin`
///
/// # Safety
///
/// As `lockgate.h` has it: pointers are null or good, and what they point to stays where it is until the session's last call.
#[no_mangle]
pub unsafe extern "C" fn lockgate_begin(memory: *mut Memory, device: *const DeviceC) -> u32 {
    // SAFETY: the caller's promise.
    let Some(device) = (unsafe { device.as_ref() }) else { return error::ARGUMENT };
    let device = match device.read() {
        Ok(device) => device,
        Err(code) => return code,
    };
    // SAFETY: the caller's promise; what was in the memory is not looked at.
    device.stack.run(|| unsafe { Session::begin(memory, device) })
}

/// `lockgate_feed`
///
/// # Safety
///
/// As `lockgate_begin`; `bytes` are `length` readable bytes.
#[no_mangle]
pub unsafe extern "C" fn lockgate_feed(memory: *mut Memory, bytes: *const u8, length: u32) -> u32 {
    if bytes.is_null() && length > 0 {
        return error::ARGUMENT;
    }
    let bytes = match length {
        0 => &[],
        // SAFETY: the caller's promise.
        _ => unsafe { core::slice::from_raw_parts(bytes, length as usize) },
    };
    // SAFETY: the caller's promise.
    unsafe { session::with(memory, |session| session.note(|updater| updater.write_all(bytes))) }
}

/// `lockgate_position`
///
/// # Safety
///
/// As `lockgate_begin`.
#[no_mangle]
pub unsafe extern "C" fn lockgate_position(memory: *mut Memory) -> u32 {
    let mut position = 0;
    // SAFETY: the caller's promise.
    _ = unsafe { session::with(memory, |session| session.ask(|updater| position = updater.position())) };
    position
}

/// `lockgate_stream_at`
///
/// # Safety
///
/// As `lockgate_begin`.
#[no_mangle]
pub unsafe extern "C" fn lockgate_stream_at(memory: *mut Memory, offset: u32) -> u32 {
    let outcome = |updater: &mut session::Update| updater.stream_at(offset).map_err(error::widen);
    // SAFETY: the caller's promise.
    unsafe { session::with(memory, |session| session.note(outcome)) }
}

/// `lockgate_disconnected`
///
/// # Safety
///
/// As `lockgate_begin`.
#[no_mangle]
pub unsafe extern "C" fn lockgate_disconnected(memory: *mut Memory) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { session::with(memory, |session| session.ask(|updater| updater.disconnected())) }
}

/// `lockgate_restart`
///
/// # Safety
///
/// As `lockgate_begin`.
#[no_mangle]
pub unsafe extern "C" fn lockgate_restart(memory: *mut Memory) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { session::with(memory, |session| session.ask(|updater| updater.restart())) }
}

/// `lockgate_finish`
///
/// # Safety
///
/// As `lockgate_begin`.
#[no_mangle]
pub unsafe extern "C" fn lockgate_finish(memory: *mut Memory) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { session::with(memory, |session| session.try_next(|updater| updater.finish())) }
}

/// `lockgate_staged`
///
/// # Safety
///
/// As `lockgate_begin`.
#[no_mangle]
pub unsafe extern "C" fn lockgate_staged(memory: *mut Memory) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { session::with(memory, |session| session.try_next(|updater| updater.staged())) }
}

/// `lockgate_progress`
///
/// # Safety
///
/// As `lockgate_begin`; `progress` is writable.
#[no_mangle]
pub unsafe extern "C" fn lockgate_progress(memory: *mut Memory, progress: *mut Progress) -> u32 {
    if progress.is_null() {
        return error::ARGUMENT;
    }
    let mut now = Progress::default();
    // SAFETY: the caller's promise.
    let code = unsafe { session::with(memory, |session| session.ask(|updater| now = updater.progress().into())) };
    // SAFETY: the caller's promise; it is not null.
    unsafe { progress.write(now) };
    code
}

/// `lockgate_last_error`
///
/// # Safety
///
/// As `lockgate_begin`; `report` is writable.
#[no_mangle]
pub unsafe extern "C" fn lockgate_last_error(memory: *mut Memory, report: *mut Report) -> u32 {
    if report.is_null() {
        return error::ARGUMENT;
    }
    let mut last = Report::of(error::NOT_BEGUN);
    // SAFETY: the caller's promise.
    _ = unsafe {
        session::with(memory, |session| {
            last = session.last();
            error::OK
        })
    };
    // SAFETY: the caller's promise; it is not null.
    unsafe { report.write(last) };
    last.code
}

/// `lockgate_status`
///
/// # Safety
///
/// As `lockgate_begin`; `status` is writable.
#[no_mangle]
pub unsafe extern "C" fn lockgate_status(device: *const DeviceC, status: *mut Status) -> u32 {
    if status.is_null() {
        return error::ARGUMENT;
    }
    // SAFETY: the caller's promise.
    match status::read(unsafe { device.as_ref() }) {
        Ok(now) => {
            // SAFETY: the caller's promise; it is not null.
            unsafe { status.write(now) };
            error::OK
        }
        Err(code) => code,
    }
}

/// `lockgate_confirm`
///
/// # Safety
///
/// As `lockgate_begin`.
#[no_mangle]
pub unsafe extern "C" fn lockgate_confirm(device: *const DeviceC) -> u32 {
    // SAFETY: the caller's promise.
    status::change(unsafe { device.as_ref() }, |control| control.confirm())
}

/// `lockgate_reject`
///
/// # Safety
///
/// As `lockgate_begin`.
#[no_mangle]
pub unsafe extern "C" fn lockgate_reject(device: *const DeviceC) -> u32 {
    // SAFETY: the caller's promise.
    status::change(unsafe { device.as_ref() }, |control| control.reject())
}

extern "C" {
    /// `rt/panicked.c`, unless the project has its own.
    fn lockgate_panicked() -> !;
}

/// Not reached as far as is known: README.md, "What ran where", names the ways that the compiler has kept.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: it does not return, and is told nothing.
    unsafe { lockgate_panicked() }
}
