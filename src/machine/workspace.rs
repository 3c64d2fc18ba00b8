//! What a decoder works in: the second, optional buffer of an update.

use crate::decode::Decoder;
use crate::manifest::Encoding;
use crate::records::Checkpoint;

/// The least that is decoded at once, and written: bytes.
pub(crate) const PIECE: usize = 256;

/// Room for a window and a piece of the image: a multiple of 256 bytes, 256 to 65536. 256 do for a delta that is not
/// compressed; 512 for heatshrink with a window of 8 (256 bytes), 2304 for one of 11. What is above makes larger pieces, up to a power of two,
/// which are written at once.
///
/// Put it in a `static`, beside the [`Block`](crate::Block).
#[derive(Debug)]
#[repr(C, align(4))]
pub struct Workspace<const N: usize> {
    room: [u8; N],
    decoding: Decoding,
}

impl<const N: usize> Workspace<N> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(
                N >= PIECE && N <= 65_536 && N.is_multiple_of(PIECE),
                "workspace: a multiple of 256 up to 65536 bytes"
            )
        }
        Self { room: [0; N], decoding: Decoding::NONE }
    }

    pub(crate) fn lend(&mut self) -> Lent<'_> {
        Lent { room: &mut self.room, decoding: &mut self.decoding }
    }
}

impl<const N: usize> Default for Workspace<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// What is being decoded.
#[derive(Debug)]
pub(crate) struct Decoding {
    pub(super) decoder: Decoder,
    /// Bytes of the piece: of the room for it, and what is there of the image.
    pub(super) piece: usize,
    pub(super) filled: usize,
    /// Base bytes behind them that wait for what is added to them.
    pub(super) base: usize,
    /// Base bytes that are to be read: their offset in the base image, and how many.
    pub(super) wanted: (u32, u32),
    /// The slot holds the image up to there: it is decoded again and compared.
    pub(super) held: u32,
    /// Bytes of a window that are to be read from the slot.
    pub(super) missing: u32,
    /// Where the piece began.
    pub(super) begun: Checkpoint,
}

impl Decoding {
    const NONE: Self = Self {
        decoder: Decoder::NONE,
        piece: 0,
        filled: 0,
        base: 0,
        wanted: (0, 0),
        held: 0,
        missing: 0,
        begun: Checkpoint::START,
    };
}

/// A borrowed workspace, its size forgotten.
#[derive(Debug)]
pub(crate) struct Lent<'w> {
    room: &'w mut [u8],
    pub(super) decoding: &'w mut Decoding,
}

impl Lent<'_> {
    /// Bytes for windows.
    pub(super) fn window(&self) -> usize {
        self.room.len().saturating_sub(PIECE)
    }

    /// Begins with the first byte of a payload. `None` if its window does not fit.
    pub(super) fn begin(&mut self, encoding: Encoding, image: u32, base: u32) -> Option<()> {
        // A power of two, so that pieces fill sectors.
        let piece = 1 << self.room.len().checked_sub(Decoder::window_size(encoding))?.checked_ilog2()?;
        let (_, window) = self.room.split_at_mut_checked(piece)?;
        let decoder = Decoder::new(encoding, image, base, window).ok()?;
        *self.decoding = Decoding { decoder, piece, ..Decoding::NONE };
        Some(())
    }

    /// Goes on at a checkpoint. `None` if it is none of this payload.
    pub(super) fn resume(&mut self, Checkpoint { offset, token, .. }: &Checkpoint) -> Option<()> {
        if let Some(token) = token {
            let decoder = self.decoding.decoder.resumed(*offset, *token)?;
            (_, self.decoding.missing) = decoder.rebuilt();
            self.decoding.decoder = decoder;
        }
        self.decoding.held = *offset;
        Some(())
    }

    /// The piece, and the window behind it.
    pub(super) fn split(&mut self) -> (&mut [u8], &mut [u8], &mut Decoding) {
        let (piece, window) = self.room.split_at_mut(self.decoding.piece.min(self.room.len()));
        (piece, window, self.decoding)
    }

    /// Bytes of the piece.
    pub(super) fn bytes(&self, from: u32, len: u32) -> Option<&[u8]> {
        self.room.get(from as usize..from.checked_add(len)? as usize)
    }
}
