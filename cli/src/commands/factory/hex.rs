//! Intel HEX for production programmers.

use ihex::Record;

use crate::failure::Failure;

/// Bytes of a data record; the whole row is left out where it is erased.
const ROW: usize = 16;

/// Whether a flash of `capacity` bytes can lie at `base`.
pub(super) fn check_base(base: u32, capacity: u32) -> Result<(), Failure> {
    if !base.is_multiple_of(ROW as u32) {
        return Err(Failure::usage("--base-address", format_args!("{base:#x} is no multiple of {ROW}")));
    }
    // The end may be the end of the address space itself.
    if u64::from(base) + u64::from(capacity) > 1 << 32 {
        let why = format_args!("{capacity:#x} bytes of flash at {base:#x} end beyond the 32-bit address space");
        return Err(Failure::usage("--base-address", why));
    }
    Ok(())
}

/// `flash` at `base` as Intel HEX, with extended linear address records (type 04). `base` must have passed
/// [`check_base`].
pub(super) fn text(flash: &[u8], erased: u8, base: u32) -> Result<String, Failure> {
    let mut records = Vec::new();
    let mut upper = None;
    for (address, row) in (u64::from(base)..).step_by(ROW).zip(flash.chunks(ROW)) {
        if row.iter().all(|&byte| byte == erased) {
            continue;
        }
        // Rows are aligned and as long as their alignment: none crosses an edge of 64 KiB.
        let high = (address >> 16) as u16;
        if upper != Some(high) {
            records.push(Record::ExtendedLinearAddress(high));
            upper = Some(high);
        }
        records.push(Record::Data { offset: address as u16, value: row.to_vec() });
    }
    records.push(Record::EndOfFile);
    ihex::create_object_file_representation(&records).map_err(|error| Failure::Io(format!("Intel HEX: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_not_erased_get_addresses_of_32_bits() {
        let mut flash = vec![0xFF; 0x2_0030];
        (flash[0], flash[0xFFFF], flash[0x2_002F]) = (0x11, 0x22, 0x33);
        let text = text(&flash, 0xFF, 0x0800_0000).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], ":020000040800F2");
        assert_eq!(lines[1], ":1000000011FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEE");
        assert_eq!(lines[2], ":10FFF000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF22EE");
        assert_eq!(lines[3], ":020000040802F0");
        assert_eq!(lines[4], ":10002000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF33AC");
        assert_eq!(lines[5], ":00000001FF");
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_flash_must_lie_in_the_address_space() {
        assert!(check_base(0xFFF0_0000, 0x10_0000).is_ok());
        assert!(check_base(0xFFF0_0010, 0x10_0000).is_err());
        assert!(check_base(0x0800_0008, 0x1000).is_err());
    }
}
