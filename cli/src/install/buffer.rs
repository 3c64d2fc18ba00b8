//! A device's block buffer has its size in its type; here the command line chooses.

use lockgate::{Block, Buffer};

/// The sizes there are.
pub(crate) const SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/// A buffer of `size` bytes that lives as long as the program; `None` if there is none of this size.
pub(crate) fn buffer(size: u32) -> Option<Buffer<'static>> {
    fn new<const N: usize>() -> Buffer<'static> {
        Box::leak(Box::new(Block::<N>::new())).into()
    }
    Some(match size {
        512 => new::<512>(),
        1024 => new::<1024>(),
        2048 => new::<2048>(),
        4096 => new::<4096>(),
        8192 => new::<8192>(),
        16_384 => new::<16_384>(),
        32_768 => new::<32_768>(),
        65_536 => new::<65_536>(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_size_has_a_buffer() {
        for size in super::SIZES {
            assert!(super::buffer(size).is_some(), "{size}");
        }
        assert!(super::buffer(1000).is_none());
    }
}
