//! Encoded payloads: what is made comes back, however it is cut; what is not as the page says is refused.

#[path = "common/payload_driver.rs"]
mod driver;
#[path = "common/payload_ref.rs"]
mod reference;

use driver::{drive, Cuts, WHOLE};
use lockgate::decode::{Decoder, Need};
use lockgate::manifest::{Encoding, Window};
use lockgate::pack::{delta, heatshrink, Fault, Payload, PayloadError};
use proptest::prelude::*;

fn windows() -> impl Iterator<Item = Window> {
    (8..=11).flat_map(|window| (3..=10).filter_map(move |lookahead| Window::new(window, lookahead)))
}

fn window(window: u8, lookahead: u8) -> Window {
    Window::new(window, lookahead).expect("parameters")
}

/// Something that firmware is like: it repeats itself, near and far, and not quite.
fn firmware(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut bytes: Vec<u8> = Vec::new();
    while bytes.len() < size {
        let (far, count) = (next() as usize % 3000 + 1, next() as usize % 60 + 1);
        for _ in 0..count {
            let fresh = bytes.len() < far || next() % 8 == 0;
            bytes.push(if fresh { (next() >> 9) as u8 & 0x3F } else { bytes[bytes.len() - far] });
        }
    }
    bytes.truncate(size);
    bytes
}

/// The next version of it: some bytes changed, some put in, some moved.
fn next_version(base: &[u8]) -> Vec<u8> {
    let mut image = base.to_vec();
    for at in (7..image.len()).step_by(97) {
        image[at] = image[at].wrapping_add(4);
    }
    let third = image.len() / 3;
    image.splice(third..third, *b"something that was not there");
    image.rotate_left(third / 2);
    image
}

/// Every encoding, for one image: the payload, and the base.
fn payloads(base: &[u8], image: &[u8]) -> Vec<(Payload, Vec<u8>)> {
    let mut all = vec![(Payload::delta(base, image, None).expect("a patch"), base.to_vec())];
    for window in windows() {
        all.push((Payload::heatshrink(image, window).expect("a payload"), vec![]));
        all.push((Payload::delta(base, image, Some(window)).expect("a patch"), base.to_vec()));
    }
    all
}

#[test]
fn every_encoding_comes_back_however_it_is_cut() {
    let base = firmware(3000, 7);
    let image = next_version(&base);
    let size = image.len() as u32;
    for (payload, base) in payloads(&base, &image) {
        let plain = reference::decode(payload.encoding(), payload.bytes(), &base, image.len());
        assert_eq!(plain.as_ref(), Some(&image), "{:?}", payload.encoding());
        for cuts in [
            WHOLE,
            Cuts { inputs: &[1], outputs: &[1], reset: None },
            Cuts { inputs: &[1], outputs: &[256], reset: None },
            Cuts { inputs: &[256], outputs: &[1], reset: None },
            Cuts { inputs: &[5, 64, 1, 512], outputs: &[3, 256, 77], reset: None },
        ] {
            let found = drive(payload.encoding(), payload.bytes(), &base, size, &cuts);
            assert_eq!(found.as_ref(), Ok(&image), "{:?}", payload.encoding());
        }
    }
}

#[test]
fn a_saved_decoder_goes_on_from_every_byte() {
    let base = firmware(700, 3);
    let image = next_version(&base);
    for window in [window(8, 3), window(8, 7), window(11, 10)] {
        let payload = Payload::heatshrink(&image, window).expect("a payload");
        for at in 0..payload.bytes().len() {
            let cuts = Cuts { inputs: &[256], outputs: &[100], reset: Some(at) };
            let found = drive(payload.encoding(), payload.bytes(), &[], image.len() as u32, &cuts);
            assert_eq!(found.as_ref(), Ok(&image), "reset at {at} of {:?}", payload.encoding());
        }
    }
}

#[test]
fn truncated_and_extended_payloads_are_refused() {
    let base = firmware(400, 5);
    let image = next_version(&base);
    let size = image.len() as u32;
    for (payload, base) in payloads(&base, &image) {
        let (encoding, bytes) = (payload.encoding(), payload.bytes());
        for end in 0..bytes.len() {
            assert_eq!(
                drive(encoding, &bytes[..end], &base, size, &WHOLE),
                Err(Fault::Truncated),
                "{encoding:?} {end}"
            );
        }
        for byte in 0..=255 {
            let long = [bytes, &[byte]].concat();
            assert_eq!(drive(encoding, &long, &base, size, &WHOLE), Err(Fault::Trailing), "{encoding:?} {byte}");
        }
    }
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    let image = firmware(1000, 9);
    for window in windows() {
        // A literal has 9 bits: with 7 more of them every number of padding bits occurs.
        for cut in 0..8 {
            let image = [&image[..], &[0x80, 0x91, 0xA2, 0xB3, 0xC4, 0xD5, 0xE6, 0xF7][..cut]].concat();
            let bytes = heatshrink(&image, window).expect("a payload");
            let encoding = Encoding::Heatshrink(window);
            for bit in 0..8 {
                let mut other = bytes.clone();
                *other.last_mut().expect("a byte") ^= 1 << bit;
                let found = drive(encoding, &other, &[], image.len() as u32, &WHOLE);
                assert_ne!(found.as_ref(), Ok(&image));
                assert_eq!(found.ok(), reference::decode(encoding, &other, &[], image.len()));
            }
        }
    }
    let one = Encoding::Heatshrink(window(8, 3));
    assert_eq!(drive(one, &[0xAA, 0x80], &[], 1, &WHOLE), Ok(vec![0x55]));
    assert_eq!(drive(one, &[0xAA, 0x81], &[], 1, &WHOLE), Err(Fault::Padding));
    assert_eq!(drive(one, &[0xAA, 0xC0], &[], 1, &WHOLE), Err(Fault::Padding));
}

#[test]
fn references_reach_the_zeros_in_front_and_not_beyond_the_image() {
    // Tag 0, distance 256, count 8.
    let one = Encoding::Heatshrink(window(8, 3));
    let token = [0b0111_1111, 0b1111_0000];
    assert_eq!(drive(one, &token, &[], 8, &WHOLE), Ok(vec![0; 8]));
    assert_eq!(drive(one, &token, &[], 7, &WHOLE), Err(Fault::TooLong));
    assert_eq!(drive(one, &token, &[], 9, &WHOLE), Err(Fault::Truncated));
    // It is seen at once, so that no decoder is ever in such a state.
    let first = Decoder::new(one, 7, 0, &mut [0; 256])
        .and_then(|mut decoder| decoder.step(&mut [0; 256], &token, &mut [0; 1], 0));
    assert_eq!(first, Err(Fault::TooLong));
}

/// Patches by hand: the parts of `docs/payload.md`, section 2.2.
fn patch(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const STORED: Encoding = Encoding::Delta(None);

fn stored(parts: &[&[u8]], base: &[u8], size: u32) -> Result<Vec<u8>, Fault> {
    let payload = patch(parts);
    let whole = drive(STORED, &payload, base, size, &WHOLE);
    assert_eq!(whole, drive(STORED, &payload, base, size, &Cuts { inputs: &[1], outputs: &[1], reset: None }));
    assert_eq!(whole.clone().ok(), reference::decode(STORED, &payload, base, size as usize));
    whole
}

#[test]
fn a_patch_by_hand() {
    let parts: [&[u8]; 9] = [&[0], &[10], &[0], &[4], &[1, 0, 0, 255], &[2], b"xy", &[0x42], &[4, 0, 0, 0, 0, 0, 0]];
    assert_eq!(stored(&parts, b"abcdefgh", 10), Ok(b"bbccxycdef".to_vec()));
}

/// detools in C, 0.53, writes 1,925 bytes for a declared size of 10 here.
#[test]
fn negative_sizes_are_refused() {
    // A size of -1 at either place, of -64 in two bytes, and the patch that goes on behind it with 1,925 bytes.
    for size in [&[0x41][..], &[0xC0, 0x01]] {
        assert_eq!(stored(&[&[0, 10, 0], size, &[0, 0]], b"abcdefgh", 10), Err(Fault::Negative));
        assert_eq!(stored(&[&[0, 10, 0, 0], size, &[0]], b"abcdefgh", 10), Err(Fault::Negative));
        let long: [&[u8]; 4] = [&[0, 10, 0, 0], size, &[0, 0, 0x85, 0x1E], &[0x55; 1925]];
        assert_eq!(stored(&long, b"abcdefgh", 10), Err(Fault::Negative));
    }
    assert_eq!(stored(&[&[0, 0x4A, 0]], b"abcdefgh", 10), Err(Fault::Negative));
    assert_eq!(stored(&[&[0, 10, 0x41]], b"abcdefgh", 10), Err(Fault::Negative));
}

#[test]
fn sizes_beyond_image_and_base_are_refused() {
    let base = b"abcdefgh";
    assert_eq!(stored(&[&[0, 10, 0, 11]], base, 10), Err(Fault::TooLong));
    assert_eq!(stored(&[&[0, 10, 0, 9]], base, 10), Err(Fault::Base));
    assert_eq!(stored(&[&[0, 10, 0, 0, 11]], base, 10), Err(Fault::TooLong));
    assert_eq!(stored(&[&[0, 10, 0, 4, 0, 0, 0, 0, 7]], base, 10), Err(Fault::TooLong));
    assert_eq!(stored(&[&[0, 10, 0, 4, 0, 0, 0, 0, 0, 5]], base, 10), Err(Fault::Base));
    assert_eq!(stored(&[&[0, 10, 0, 0, 0xBF, 0xFF, 0xFF, 0xFF, 0x0F]], base, 10), Err(Fault::TooLong));
}

#[test]
fn adjustments_stay_within_the_base() {
    let base = b"abcdefgh";
    // To its end and to its front is as far as it goes; the last one of a patch is judged too.
    for (adjustment, fault) in
        [(&[6][..], None), (&[7], Some(Fault::Base)), (&[0x42], None), (&[0x43], Some(Fault::Base))]
    {
        let found = stored(&[&[0, 2, 0, 2, 0, 0, 0], adjustment], base, 2);
        assert_eq!(found.err(), fault);
        let found = stored(&[&[0, 3, 0, 2, 0, 0, 0], adjustment, &[0, 1, 7, 0]], base, 3);
        assert_eq!(found.err(), fault);
    }
    let far = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
    assert_eq!(stored(&[&[0, 2, 0, 2, 0, 0, 0], &far], base, 2), Err(Fault::Base));
}

#[test]
fn heads_other_than_the_manifests_are_refused() {
    let base = firmware(300, 1);
    let image = next_version(&base);
    let size = image.len() as u32;
    let good = delta(&base, &image, Some(window(9, 5))).expect("a patch");
    let with = |at: usize, byte: u8| [&good[..at], &[byte], &good[at + 1..]].concat();
    let encoding = Encoding::Delta(Some(window(9, 5)));
    assert_eq!(drive(encoding, &good, &base, size, &WHOLE), Ok(image.clone()));
    for kind in (0..=255).filter(|kind| *kind != 4) {
        assert_eq!(drive(encoding, &with(0, kind), &base, size, &WHOLE), Err(Fault::PatchType));
    }
    assert_eq!(drive(STORED, &good, &base, size, &WHOLE), Err(Fault::PatchType));
    assert_eq!(drive(encoding, &good, &base, size + 1, &WHOLE), Err(Fault::ImageSize));
    for other in (0..=255).filter(|byte| *byte != good[3]) {
        assert_eq!(drive(encoding, &with(3, other), &base, size, &WHOLE), Err(Fault::Parameters));
    }
    for other in windows().filter(|other| *other != window(9, 5)) {
        assert_eq!(drive(Encoding::Delta(Some(other)), &good, &base, size, &WHOLE), Err(Fault::Parameters));
    }
    assert_eq!(stored(&[&[0, 10, 1]], b"abc", 10), Err(Fault::DataFormat));
}

#[test]
fn numbers_have_one_form() {
    for number in [
        &[0x40][..],
        &[0x80, 0],
        &[0x8A, 0],
        &[0xC0, 0],
        &[0x8A, 0x80, 0],
        &[0xBF, 0xFF, 0xFF, 0xFF, 0x10],
        &[0xBF, 0xFF, 0xFF, 0xFF, 0x8F],
        &[0xBF, 0xFF, 0xFF, 0xFF, 0x8F, 0],
    ] {
        assert_eq!(stored(&[&[0, 10, 0, 2, 0, 0, 0], number], b"abcdefgh", 10), Err(Fault::Number), "{number:x?}");
    }
}

#[test]
fn empty_chunks_are_taken_a_few_at_a_time() {
    let mut payload = patch(&[&[0, 1, 0]]);
    payload.extend([0; 30_000]);
    payload.extend([0, 1, 0x55, 0]);
    assert_eq!(drive(STORED, &payload, b"abc", 1, &WHOLE), Ok(vec![0x55]));
    let mut decoder = Decoder::new(STORED, 1, 3, &mut []).expect("no window");
    let progress = decoder.step(&mut [], &payload, &mut [0; 16], 0).expect("a step");
    assert_eq!((progress.consumed, progress.need), (64, Need::Again));
}

/// Where no state can be kept: the payload once more, with nothing read or written up to where the slot is filled.
#[test]
fn output_that_is_thrown_away_needs_no_base() {
    let base = firmware(3000, 7);
    let image = next_version(&base);
    let payload = Payload::delta(&base, &image, Some(window(11, 10))).expect("a patch");
    let mut window = vec![0; 2048];
    let size = image.len() as u32;
    let mut decoder = Decoder::new(payload.encoding(), size, 3000, &mut window).expect("a window");
    let (mut input, mut ready, mut output) = (payload.bytes(), 0, [0xEE; 125]);
    loop {
        let at = decoder.position() as usize;
        let progress = decoder.step(&mut window, input, &mut output, ready).expect("a step");
        if at >= 1000 {
            assert_eq!(output[..progress.produced], image[at..][..progress.produced]);
        }
        input = &input[progress.consumed..];
        ready = 0;
        match progress.need {
            Need::Input => break,
            Need::Again => {}
            Need::Base { at, len } => {
                if decoder.position() >= 1000 {
                    output[..len].copy_from_slice(&base[at as usize..][..len]);
                }
                ready = len;
            }
        }
    }
    assert_eq!((decoder.position(), decoder.finish()), (size, Ok(())));
}

#[test]
fn a_window_that_is_too_small_is_refused() {
    let encoding = Encoding::Heatshrink(window(8, 4));
    assert_eq!(Decoder::new(encoding, 1, 0, &mut [0; 255]), Err(Fault::Workspace));
    let mut decoder = Decoder::new(encoding, 1, 0, &mut [0; 256]).expect("a window");
    assert_eq!(decoder.step(&mut [0; 255], &[0xAA, 0x80], &mut [0; 4], 0), Err(Fault::Workspace));
}

/// States as no decoder leaves them. (That each good one loads is in the tests above.)
#[test]
fn impossible_states_are_refused() {
    let image = Encoding::Heatshrink(window(8, 4));
    let load = |encoding, position, saved: &[u8; 8]| {
        let mut window = [0; 256];
        let fresh = Decoder::new(encoding, 100, 50, &mut window).expect("a window");
        let [bits, reference] = [&saved[..4], &saved[4..]].map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        fresh.resumed(position, [bits, reference]).is_some()
    };
    assert!(load(image, 10, &[0; 8]));
    assert!(load(image, 10, &[0, 0, 0, 7, 15, 0, 0, 1]));
    for (position, saved) in [
        (101, [0; 8]),
        (10, [0, 0, 0, 13, 0, 0, 0, 0]),
        (10, [1, 0, 0, 0, 0, 0, 0, 0]),
        (10, [0, 1, 0, 9, 0, 0, 0, 0]),
        (10, [0, 0, 0, 255, 0, 0, 0, 0]),
        (10, [0, 0, 0, 8, 1, 0, 1, 0]),
        (10, [0, 0, 0, 0, 1, 0, 0, 0]),
        (10, [0, 0, 0, 0, 0, 0, 1, 0]),
        (10, [0, 0, 0, 0, 16, 0, 1, 0]),
        (10, [0, 0, 0, 0, 1, 0, 1, 1]),
        (99, [0, 0, 0, 0, 2, 0, 1, 0]),
        (100, [0, 0, 0, 0, 1, 0, 1, 0]),
    ] {
        assert!(!load(image, position, &saved), "{position} {saved:?}");
    }
    assert!(!load(image, 0, &[0; 8]) && !load(STORED, 10, &[0; 8]));
    assert!(!load(Encoding::Delta(Some(window(8, 7))), 10, &[0; 8]));
}

#[test]
fn sizes_of_the_state() {
    assert!(core::mem::size_of::<Decoder>() <= 44, "{}", core::mem::size_of::<Decoder>());
}

#[test]
fn a_foreign_patch_says_its_encoding_itself() {
    let base = firmware(2000, 11);
    let image = next_version(&base);
    for window in [None, Some(window(8, 7)), Some(window(11, 4))] {
        let bytes = delta(&base, &image, window).expect("a patch");
        let (payload, made) = Payload::patch(&base, bytes).expect("a good patch");
        assert_eq!((payload.encoding(), made), (Encoding::Delta(window), image.clone()));
        assert_eq!(payload.base_image().map(|base| base.size), Some(2000));
    }
    for (bytes, said) in [
        (&[0x10, 1][..], "patch type 0x10: sequential patches with compression none or heatshrink are taken"),
        (&[4, 1, 0xC1], "patch with window 16 and lookahead 4: 8 to 11 and 3 to 10 are taken, lookahead below window"),
        (&[4], "image of 0 bytes: 1 to 2147483647 can be packed"),
    ] {
        let error: PayloadError = Payload::patch(&base, bytes.to_vec()).expect_err("no patch");
        assert_eq!(error.to_string(), said);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_image_from_any_base(
        base in prop::collection::vec(0_u8..6, 1..600),
        image in prop::collection::vec(0_u8..6, 1..600),
        (w, l) in (8_u8..=11, 3_u8..=7),
        inputs in prop::collection::vec(1_usize..40, 1..5),
        outputs in prop::collection::vec(1_usize..300, 1..5),
        reset in prop::option::of(0_usize..400),
    ) {
        let cuts = Cuts { inputs: &inputs, outputs: &outputs, reset };
        for window in [None, Some(window(w, l))] {
            let payload = Payload::delta(&base, &image, window).expect("a patch");
            let found = drive(payload.encoding(), payload.bytes(), &base, image.len() as u32, &cuts);
            prop_assert_eq!(found.as_ref(), Ok(&image));
        }
        let payload = Payload::heatshrink(&image, window(w, l)).expect("a payload");
        let found = drive(payload.encoding(), payload.bytes(), &[], image.len() as u32, &cuts);
        prop_assert_eq!(found.as_ref(), Ok(&image));
    }

    #[test]
    fn damaged_patches_are_judged_as_by_the_plain_decoder(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..=255), 1..4),
        which in 0_usize..3,
    ) {
        let base = firmware(300, 21);
        let image = next_version(&base);
        let payload = match which {
            0 => Payload::delta(&base, &image, None),
            1 => Payload::delta(&base, &image, Some(window(8, 5))),
            _ => Payload::heatshrink(&image, window(8, 5)),
        };
        let payload = payload.expect("a payload");
        let mut bytes = payload.bytes().to_vec();
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        let found = drive(payload.encoding(), &bytes, &base, image.len() as u32, &WHOLE);
        prop_assert_eq!(found.ok(), reference::decode(payload.encoding(), &bytes, &base, image.len()));
    }
}
