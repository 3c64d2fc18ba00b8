//! A device's block buffer and workspace have their sizes in their types; here the command line chooses.

use lockgate::{Block, Buffer, Updater, Workspace};

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

/// Sizes of workspaces; 0 is none: a device without a decoder.
pub(crate) const WORKSPACES: [u32; 9] = [0, 256, 512, 768, 1024, 1280, 2048, 2304, 4096];

/// `updater` with a workspace of `size` bytes; `None` if there is none of this size.
pub(super) fn lend<F, V, P>(updater: Updater<'static, F, V, P>, size: u32) -> Option<Updater<'static, F, V, P>> {
    fn new<const N: usize>() -> &'static mut Workspace<N> {
        Box::leak(Box::new(Workspace::new()))
    }
    Some(match size {
        0 => updater,
        256 => updater.workspace(new::<256>()),
        512 => updater.workspace(new::<512>()),
        768 => updater.workspace(new::<768>()),
        1024 => updater.workspace(new::<1024>()),
        1280 => updater.workspace(new::<1280>()),
        2048 => updater.workspace(new::<2048>()),
        2304 => updater.workspace(new::<2304>()),
        4096 => updater.workspace(new::<4096>()),
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
