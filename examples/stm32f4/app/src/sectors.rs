//! A flash that does what its geometry says, or refuses: the gap between a HAL's `NorFlash` and the trait's promise.
//!
//! lockgate asks for nothing but whole sectors within the flash, and so never meets what this guards against. It is for everybody else who holds the same flash. Both HALs say `ERASE_SIZE` = 128 KiB, which is the largest sector
//! and says nothing about the others. What their `erase(from, to)` really does, read in their sources:
//!
//! | | stm32f4xx-hal 0.23.0, `src/flash.rs` | embassy-stm32 0.6.0, `src/flash/common.rs` |
//! |---|---|---|
//! | whole sectors, of any size | exactly those | exactly those |
//! | `from` inside a sector | **erases the whole sector, and says `Ok`** | refuses (`ensure_sector_aligned`) |
//! | `to` inside a sector | **erases the whole sector, and says `Ok`** | refuses |
//! | `from == to` | in the first sector **erases it**, else nothing | does nothing |
//! | beyond the end | erases what there is, and says `Ok` | **panics** (`get_sector`) |
//! | read beyond the end | **panics** (slice index) | refuses |
//! | write beyond the end | **stores to what lies there** | refuses |

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use embedded_storage_async::nor_flash as asynch;
use lockgate::geometry::Geometry;

/// A HAL's flash behind the edges of `geometry`.
#[derive(Clone, Copy, Debug)]
pub struct Sectors<F> {
    flash: F,
    geometry: &'static Geometry,
}

/// Why there was no operation, or why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused<E> {
    /// Not aligned, or beyond the end: nothing was done.
    Request(NorFlashErrorKind),
    /// The flash's own error.
    Flash(E),
}

impl<E: NorFlashError> NorFlashError for Refused<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Request(kind) => *kind,
            Self::Flash(error) => error.kind(),
        }
    }
}

impl<F> Sectors<F> {
    /// `flash`, whose address 0 is the geometry's.
    pub const fn new(flash: F, geometry: &'static Geometry) -> Self {
        Self { flash, geometry }
    }

    /// The HAL's flash.
    pub fn into_inner(self) -> F {
        self.flash
    }

    fn within<E>(&self, from: u32, bytes: usize, unit: u32) -> Result<(), Refused<E>> {
        let end = u32::try_from(bytes).ok().and_then(|bytes| from.checked_add(bytes));
        if !from.is_multiple_of(unit) || !bytes.is_multiple_of(unit as usize) {
            Err(Refused::Request(NorFlashErrorKind::NotAligned))
        } else if end.is_none_or(|end| end > self.geometry.capacity()) {
            Err(Refused::Request(NorFlashErrorKind::OutOfBounds))
        } else {
            Ok(())
        }
    }

    fn erasable<E>(&self, from: u32, to: u32) -> Result<(), Refused<E>> {
        if from > to || to > self.geometry.capacity() {
            Err(Refused::Request(NorFlashErrorKind::OutOfBounds))
        } else if !self.geometry.is_edge(from) || !self.geometry.is_edge(to) {
            Err(Refused::Request(NorFlashErrorKind::NotAligned))
        } else {
            Ok(())
        }
    }
}

impl<F: ErrorType> ErrorType for Sectors<F> {
    type Error = Refused<F::Error>;
}

impl<F: ReadNorFlash> ReadNorFlash for Sectors<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.within(offset, bytes.len(), F::READ_SIZE as u32)?;
        self.flash.read(offset, bytes).map_err(Refused::Flash)
    }

    fn capacity(&self) -> usize {
        self.geometry.capacity() as usize
    }
}

impl<F: NorFlash> NorFlash for Sectors<F> {
    // stm32f4xx-hal programs bytes; no unit smaller than the geometry's is needed.
    const WRITE_SIZE: usize = if F::WRITE_SIZE < 4 { 4 } else { F::WRITE_SIZE };
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.erasable(from, to)?;
        if from == to {
            return Ok(());
        }
        self.flash.erase(from, to).map_err(Refused::Flash)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.within(offset, bytes.len(), Self::WRITE_SIZE as u32)?;
        self.flash.write(offset, bytes).map_err(Refused::Flash)
    }
}

impl<F: asynch::ReadNorFlash> asynch::ReadNorFlash for Sectors<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.within(offset, bytes.len(), F::READ_SIZE as u32)?;
        self.flash.read(offset, bytes).await.map_err(Refused::Flash)
    }

    fn capacity(&self) -> usize {
        self.geometry.capacity() as usize
    }
}

impl<F: asynch::NorFlash> asynch::NorFlash for Sectors<F> {
    const WRITE_SIZE: usize = if F::WRITE_SIZE < 4 { 4 } else { F::WRITE_SIZE };
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.erasable(from, to)?;
        if from == to {
            return Ok(());
        }
        self.flash.erase(from, to).await.map_err(Refused::Flash)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.within(offset, bytes.len(), Self::WRITE_SIZE as u32)?;
        self.flash.write(offset, bytes).await.map_err(Refused::Flash)
    }
}
