//! Payloads by hand: what a device would be sent for an image, and what a device would make of it.
//!
//! ```text
//! payload raw|heatshrink IMAGE -o PAYLOAD [W L]
//! payload delta BASE IMAGE -o PAYLOAD [W L]
//! payload apply BASE PATCH -o IMAGE
//! payload expand IMAGE_SIZE PAYLOAD -o IMAGE W L
//! ```

use std::error::Error;
use std::{env, fs};

use lockgate::manifest::{Encoding, Window};
use lockgate::pack::{unpack, Payload};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let at = words.iter().position(|word| *word == "-o").ok_or("no -o")?;
    let (given, rest) = words.split_at(at);
    let (out, window) = match rest {
        [_, out] => (out, None),
        [_, out, w, l] => (out, Some(Window::new(w.parse()?, l.parse()?).ok_or("window 8 to 11, lookahead 3 to 10")?)),
        _ => return Err("see the top of examples/payload.rs".into()),
    };
    let bytes = match (given, window) {
        (["raw", image], None) => Payload::raw(&fs::read(image)?)?.bytes().to_vec(),
        (["heatshrink", image], Some(window)) => Payload::heatshrink(&fs::read(image)?, window)?.bytes().to_vec(),
        (["delta", base, image], window) => {
            Payload::delta(&fs::read(base)?, &fs::read(image)?, window)?.bytes().to_vec()
        }
        (["apply", base, patch], None) => Payload::patch(&fs::read(base)?, fs::read(patch)?)?.1,
        (["expand", size, payload], Some(window)) => {
            unpack(Encoding::Heatshrink(window), &fs::read(payload)?, &[], size.parse()?)?
        }
        _ => return Err("see the top of examples/payload.rs".into()),
    };
    fs::write(out, bytes)?;
    Ok(())
}
