//! The one buffer an update needs: room for a block and its link. The manifest is collected in it first.

use crate::error::Stop;

/// Room for blocks of up to `N` bytes: a multiple of 256, 512 to 65536. Aligned to 4 bytes, as flash
/// controllers like their sources.
///
/// Put it in a `static` (with the `static_cell` crate) rather than on the stack. A package's manifest and
/// kept signatures must fit as well: 16 + manifest + 2 + 76 for each trusted key that signed, + 12 if
/// others signed too; `lockgate inspect` prints an upper bound.
#[derive(Debug)]
#[repr(C, align(4))]
pub struct Block<const N: usize> {
    data: [u8; N],
    link: [u8; 32],
}

impl<const N: usize> Block<N> {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(
                N >= 512 && N <= 65_536 && N.is_multiple_of(256),
                "block buffer: a multiple of 256 from 512 to 65536 bytes"
            )
        }
        Self { data: [0; N], link: [0; 32] }
    }
}

impl<const N: usize> Default for Block<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// A borrowed [`Block`], its size forgotten.
#[derive(Debug)]
pub struct Buffer<'b> {
    data: &'b mut [u8],
    link: &'b mut [u8; 32],
}

impl<'b, const N: usize> From<&'b mut Block<N>> for Buffer<'b> {
    fn from(block: &'b mut Block<N>) -> Self {
        Self { data: &mut block.data, link: &mut block.link }
    }
}

const RANGE: Stop = Stop::Misuse("lockgate: a range beyond the block buffer (please report this)");

impl Buffer<'_> {
    pub(crate) fn capacity(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn data(&self) -> &[u8] {
        self.data
    }

    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        self.data
    }

    pub(crate) fn link(&self) -> &[u8; 32] {
        self.link
    }

    pub(crate) fn bytes(&self, from: u32, len: u32) -> Result<&[u8], Stop> {
        let from = from as usize;
        from.checked_add(len as usize).and_then(|to| self.data.get(from..to)).ok_or(RANGE)
    }

    /// Overwrites `from..to` with `value`.
    pub(crate) fn pad(&mut self, from: u32, to: u32, value: u8) -> Result<(), Stop> {
        self.data.get_mut(from as usize..to as usize).ok_or(RANGE)?.fill(value);
        Ok(())
    }

    /// Takes from `input` into a block of `data` bytes and a link (if `linked`), of which `filled` bytes are
    /// there. Gives the bytes taken.
    pub(crate) fn collect(&mut self, data: u32, linked: bool, filled: u32, input: &[u8]) -> Result<u32, Stop> {
        let mut taken = 0;
        if filled < data {
            taken = copy(self.data.get_mut(filled as usize..data as usize).ok_or(RANGE)?, input);
        }
        if let (true, Some(there)) = (linked, filled.saturating_add(taken as u32).checked_sub(data)) {
            let room = self.link.get_mut(there as usize..).ok_or(RANGE)?;
            taken = taken.saturating_add(copy(room, input.get(taken..).unwrap_or_default()));
        }
        Ok(taken as u32)
    }
}

/// Copies as much as fits; gives the bytes copied.
pub(crate) fn copy(room: &mut [u8], input: &[u8]) -> usize {
    let taken = room.len().min(input.len());
    if let (Some(room), Some(input)) = (room.get_mut(..taken), input.get(..taken)) {
        room.copy_from_slice(input);
    }
    taken
}
