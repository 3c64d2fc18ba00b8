//! Oracles for encoded payloads: two decoders agree on everything, cutting and resets change nothing, what is made comes back,
//! and whatever state is loaded, nothing goes beyond image and base.
//!
//! Inputs begin with 6 bytes: what is done, inputs' and outputs' sizes, where the device is reset, a size.

use lockgate::decode::{Decoder, Need};
use lockgate::manifest::{Encoding, Window};
use lockgate::pack::Payload;

use crate::payload_driver::{drive, Cuts, WHOLE};
use crate::payload_ref::decode;

/// The largest image that is decoded.
const MOST: u32 = 1 << 16;

/// The first 6 bytes.
struct Choices {
    loads: bool,
    makes: bool,
    window: Window,
    inputs: [usize; 2],
    outputs: [usize; 2],
    reset: usize,
    size: u16,
}

impl Choices {
    fn of(data: &[u8]) -> Option<(Self, &[u8])> {
        let (&[what, inputs, outputs, reset, s0, s1], rest) = data.split_first_chunk()?;
        let window = Window::new(8 + (what >> 1) % 4, 3 + (what >> 3) % 8).or(Window::new(8, 7))?;
        let sizes = |byte: u8| [usize::from(byte >> 4) + 1, (usize::from(byte & 15) + 1) * 17];
        let (inputs, outputs) = (sizes(inputs), sizes(outputs));
        let size = u16::from_le_bytes([s0, s1]);
        Some((
            Self { loads: what & 0x80 != 0, makes: what & 1 == 1, window, inputs, outputs, reset: reset.into(), size },
            rest,
        ))
    }

    /// The image, if the payload is good.
    fn judge(&self, encoding: Encoding, payload: &[u8], base: &[u8], size: u32) -> Option<Vec<u8>> {
        let whole = drive(encoding, payload, base, size, &WHOLE);
        let mut cuts = Cuts { inputs: &self.inputs, outputs: &self.outputs, reset: None };
        assert_eq!(whole, drive(encoding, payload, base, size, &cuts));
        // Where the reset falls depends on the payload's length.
        cuts.reset = Some(self.reset * payload.len() / 256);
        assert_eq!(whole, drive(encoding, payload, base, size, &cuts));
        let image = whole.ok();
        assert_eq!(image, decode(encoding, payload, base, size as usize));
        image
    }

    fn comes_back(&self, payload: &Payload, base: &[u8], image: &[u8]) {
        let found = self.judge(payload.encoding(), payload.bytes(), base, payload.image_size());
        assert_eq!(found.as_deref(), Some(image));
    }
}

/// Anything as a saved state, then as the payload behind it.
fn loaded(encoding: Encoding, position: u32, data: &[u8]) {
    const IMAGE: u32 = 3000;
    let Some((&saved, mut input)) = data.split_first_chunk::<8>() else { return };
    let [bits, reference] =
        [0, 4].map(|at| u32::from_le_bytes([saved[at], saved[at + 1], saved[at + 2], saved[at + 3]]));
    let mut window = vec![0; Decoder::window_size(encoding)];
    let fresh = Decoder::new(encoding, IMAGE, 0, &mut window).expect("a window");
    let Some(mut decoder) = fresh.resumed(position, [bits, reference]) else { return };
    assert_eq!(decoder.token(), Some([bits, reference]));
    let (end, missing) = decoder.rebuilt();
    assert!(end <= window.len() && missing <= position);
    let mut output = [0; 100];
    while let Ok(progress) = decoder.step(&mut window, input, &mut output, 0) {
        assert!(decoder.position() <= IMAGE);
        input = &input[progress.consumed..];
        if progress.need == Need::Input {
            break;
        }
    }
    let _ = decoder.finish();
}

/// Anything as a payload, or an image there and back.
pub fn heatshrink(data: &[u8]) {
    let Some((choices, data)) = Choices::of(data) else { return };
    let encoding = Encoding::Heatshrink(choices.window);
    if choices.loads {
        loaded(encoding, choices.size.into(), data);
    } else if !choices.makes {
        choices.judge(encoding, data, &[], u32::from(choices.size).max(1));
    } else if let Ok(payload) = Payload::heatshrink(data, choices.window) {
        choices.comes_back(&payload, &[], data);
    }
}

/// Anything as a base and a patch, or as a base and an image, there and back.
pub fn delta(data: &[u8]) {
    let Some((choices, data)) = Choices::of(data) else { return };
    if choices.loads {
        let window = Window { window: 8, lookahead: choices.window.lookahead.min(7) };
        return loaded(Encoding::Delta(choices.makes.then_some(window)), choices.size.into(), data);
    }
    let (base, rest) = data.split_at(usize::from(choices.size).min(data.len()));
    if choices.makes {
        for window in [None, Some(choices.window)] {
            let Ok(payload) = Payload::delta(base, rest, window) else { return };
            choices.comes_back(&payload, base, rest);
            let (foreign, image) = Payload::patch(base, payload.bytes().to_vec()).expect("its own patch");
            assert_eq!((&foreign, &image[..]), (&payload, rest));
        }
        return;
    }
    // What the patch says of itself, so that most patches get beyond their first bytes.
    let compressed = rest.first() == Some(&4);
    let (mut size, mut shift, mut parts) = (0_u32, 0, rest.iter().skip(1));
    for &byte in parts.by_ref().take(4) {
        size |= u32::from(byte & if shift == 0 { 0x3F } else { 0x7F }) << shift;
        shift += if shift == 0 { 6 } else { 7 };
        if byte & 0x80 == 0 {
            break;
        }
    }
    let said = parts.next().and_then(|byte| Window::new((byte >> 4) + 4, (byte & 15) + 3));
    let encoding = Encoding::Delta(compressed.then_some(said.unwrap_or(choices.window)));
    let found = choices.judge(encoding, rest, base, size.clamp(1, MOST));
    if let (Some(image), false) = (found, base.is_empty()) {
        let (payload, made) = Payload::patch(base, rest.to_vec()).expect("a good patch");
        assert_eq!((payload.encoding(), made), (encoding, image));
    }
}
