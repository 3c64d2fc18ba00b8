//! The decoder alone: in an application it is inlined into what drives it, and cannot be told apart. `build.sh` links this, and
//! `tests/sizes.py` says how large it is.

#![no_std]

use core::panic::PanicInfo;

use lockgate::decode::{Decoder, Fault, Progress};
use lockgate::manifest::Encoding;

/// Begins.
#[no_mangle]
fn decoder_new(encoding: Encoding, image: u32, base: u32, window: &mut [u8]) -> Result<Decoder, Fault> {
    Decoder::new(encoding, image, base, window)
}

/// Goes on.
#[no_mangle]
fn decoder_step(
    decoder: &mut Decoder,
    window: &mut [u8],
    input: &[u8],
    output: &mut [u8],
    base: usize,
) -> Result<Progress, Fault> {
    decoder.step(window, input, output, base)
}

/// Ends.
#[no_mangle]
fn decoder_finish(decoder: &Decoder) -> Result<(), Fault> {
    decoder.finish()
}

/// Bytes of its state, beside the window.
#[no_mangle]
static DECODER_STATE: [u8; size_of::<Decoder>()] = [0; size_of::<Decoder>()];

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
