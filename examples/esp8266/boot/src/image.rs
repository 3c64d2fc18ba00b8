//! Loads an image as the ROM and the vendor's boot loader do (esptool documentation, "Firmware Image Format", ESP8266): format 2 is a
//! header of 16 bytes with the size of the code that stays in flash, that code, and then a format 1 image, whose segments go to RAM.
//!
//! What is read here was verified a moment ago; the checks keep a mistake of the vendor's from overwriting the loader.

use board::{text, window, Flash, Text, IMAGE_CAPACITY};
use embedded_storage::nor_flash::ReadNorFlash;
use lockgate::boot::Launch;

const MAGIC_1: u8 = 0xE9;
const MAGIC_2: [u8; 2] = [0xEA, 4];
/// The ROM takes no more.
const MOST_SEGMENTS: u8 = 16;

/// Instruction RAM that is no cache, and data RAM below the boot stage's own (`link/boot.ld`).
const RAM: [(u32, u32); 2] = [(0x4010_0000, 0x4010_8000), (0x3FFE_8000, 0x3FFF_9000)];

/// Why an image cannot be started.
enum Why {
    Unreadable,
    NoHeader,
    Segment,
    NoEntry,
}

impl Why {
    fn text(self) -> Text {
        match self {
            Self::Unreadable => text!("flash cannot be read"),
            Self::NoHeader => text!("it has no image header (0xE9 or 0xEA)"),
            Self::Segment => text!("a segment does not fit"),
            Self::NoEntry => text!("its entry is in none of its segments"),
        }
    }
}

extern "C" {
    /// `rt/boot.S`
    fn launch(entry: u32, odd_even: u32, megabytes: u32) -> !;
}

/// Starts the image, or says why not.
pub(crate) fn start(flash: &mut Flash, chosen: &Launch) -> Text {
    match load(flash, chosen.address) {
        Ok(entry) => {
            let (odd_even, megabytes) = window(chosen.slot);
            // SAFETY: the image is whole, its segments are loaded, and its entry lies in one of them. Nothing of this program is needed again.
            unsafe { launch(entry, odd_even, megabytes) }
        }
        Err(why) => why.text(),
    }
}

/// Loads the segments of the image at `start`; gives its entry.
fn load(flash: &mut Flash, start: u32) -> Result<u32, Why> {
    let mut at = start;
    let mut header = words::<4>(flash, at)?;
    if header[0].to_le_bytes()[..2] == MAGIC_2 {
        let code = header[3];
        if code > IMAGE_CAPACITY || code % 4 != 0 {
            return Err(Why::Segment);
        }
        at += 16 + code;
        header = words::<4>(flash, at)?;
    }
    let [magic, segments, ..] = header[0].to_le_bytes();
    if magic != MAGIC_1 || segments == 0 || segments > MOST_SEGMENTS {
        return Err(Why::NoHeader);
    }
    let entry = header[1];
    let mut startable = false;
    at += 8;
    for _ in 0..segments {
        let [address, size] = words::<2>(flash, at)?;
        at += 8;
        let end = address.checked_add(size).ok_or(Why::Segment)?;
        let fits = RAM.iter().any(|(from, to)| address >= *from && end <= *to);
        if !fits || address % 4 != 0 || size % 4 != 0 || at - start > IMAGE_CAPACITY - size {
            return Err(Why::Segment);
        }
        // SAFETY: this RAM belongs to the image: it is neither the boot stage's code nor its data.
        let room = unsafe { core::slice::from_raw_parts_mut(address as *mut u8, size as usize) };
        flash.read(at, room).map_err(|_| Why::Unreadable)?;
        startable |= address >= RAM[0].0 && (address..end).contains(&entry);
        at += size;
    }
    if !startable {
        return Err(Why::NoEntry);
    }
    Ok(entry)
}

fn words<const N: usize>(flash: &mut Flash, at: u32) -> Result<[u32; N], Why> {
    let mut words = [0; N];
    for (word, at) in words.iter_mut().zip((at..).step_by(4)) {
        let mut bytes = [0; 4];
        flash.read(at, &mut bytes).map_err(|_| Why::Unreadable)?;
        *word = u32::from_le_bytes(bytes);
    }
    Ok(words)
}
