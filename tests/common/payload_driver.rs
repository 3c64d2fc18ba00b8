//! Drives the decoder as a device does: small pieces of input, small buffers, base bytes on demand, resets.
#![allow(unreachable_pub)]

use lockgate::decode::{Decoder, Fault, Need, Progress};
use lockgate::manifest::Encoding;

/// How the work is cut.
pub struct Cuts<'c> {
    /// Sizes of inputs and of outputs, in turn, over and over.
    pub inputs: &'c [usize],
    pub outputs: &'c [usize],
    /// After how many bytes of input the device is reset: what is not saved is lost.
    pub reset: Option<usize>,
}

/// The whole payload in one piece.
pub const WHOLE: Cuts<'static> = Cuts { inputs: &[usize::MAX], outputs: &[4096], reset: None };

/// What comes of it. Panics if the decoder breaks its own promises.
pub fn drive(encoding: Encoding, payload: &[u8], base: &[u8], size: u32, cuts: &Cuts<'_>) -> Result<Vec<u8>, Fault> {
    let mut window = vec![0x5A; Decoder::window_size(encoding)];
    let mut decoder = Decoder::new(encoding, size, base.len() as u32, &mut window)?;
    let (mut image, mut buffer) = (Vec::new(), [0; 4096]);
    let mut outputs = cuts.outputs.iter().cycle().map(|size| (*size).clamp(1, 4096));
    let mut inputs = cuts.inputs.iter().cycle();
    let (mut taken, mut reset) = (0, cuts.reset);
    let mut steps = 0_u64;
    while taken < payload.len() {
        let piece = (*inputs.next().expect("a size")).clamp(1, payload.len() - taken);
        let mut input = &payload[taken..taken + piece];
        let (mut room, mut ready) = (outputs.next().expect("a size"), 0);
        loop {
            steps += 1;
            assert!(steps < 1000 + 16 * (payload.len() as u64 + u64::from(size)), "it goes on for ever");
            let at_once = match reset {
                Some(at) if at >= taken => input.len().min(at - taken),
                _ => input.len(),
            };
            if at_once == 0 && reset == Some(taken) {
                reset = None;
                if let Some(loaded) = restarted(encoding, &decoder, &image, base.len() as u32, size, &mut window) {
                    (decoder, ready) = (loaded, 0);
                }
                continue;
            }
            let before = decoder.position();
            let Progress { consumed, produced, need } =
                decoder.step(&mut window, &input[..at_once], &mut buffer[..room], ready)?;
            assert_eq!(decoder.position() - before, produced as u32);
            image.extend(&buffer[..produced]);
            assert!(image.len() <= size as usize, "more than the image");
            (taken, input) = (taken + consumed, &input[consumed..]);
            match need {
                Need::Input => {
                    assert_eq!(consumed, at_once, "input is left");
                    if input.is_empty() {
                        break;
                    }
                    // Base bytes that are not used yet stay where they are.
                    let left = ready.saturating_sub(produced);
                    buffer.copy_within(produced..produced + left, 0);
                    ready = left;
                }
                Need::Again => (room, ready) = (outputs.next().expect("a size"), 0),
                Need::Base { at, len } => {
                    if room == produced {
                        room = outputs.next().expect("a size");
                    }
                    let len = len.min(room);
                    assert!(len > 0);
                    buffer[..len].copy_from_slice(&base[at as usize..][..len]);
                    ready = len;
                }
            }
        }
    }
    decoder.finish()?;
    assert_eq!(image.len(), size as usize);
    Ok(image)
}

/// The decoder as it is after a reset; `None` if its state cannot be kept.
fn restarted(
    encoding: Encoding,
    decoder: &Decoder,
    image: &[u8],
    base: u32,
    size: u32,
    window: &mut [u8],
) -> Option<Decoder> {
    let token = decoder.token()?;
    assert!(!image.is_empty() && matches!(encoding, Encoding::Heatshrink(_)));
    window.fill(0x5A);
    let fresh = Decoder::new(encoding, size, base, window).expect("a window");
    let loaded = fresh.resumed(image.len() as u32, token).expect("its own state");
    let (end, missing) = loaded.rebuilt();
    window[end - missing as usize..end].copy_from_slice(&image[image.len() - missing as usize..]);
    assert_eq!(loaded.token(), Some(token));
    Some(loaded)
}
