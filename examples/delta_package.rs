//! A package that is a delta: signed, compressed with heatshrink (window 8, lookahead 7), which is what the examples' devices
//! have room for.
//!
//! ```text
//! delta_package BASE IMAGE -o PACKAGE KEY.pem VENDOR CLASS VERSION COUNTER BLOCK_SIZE [LOAD_ADDRESS]
//! ```

use std::error::Error;
use std::{env, fs};

use lockgate::manifest::Window;
use lockgate::pack::{Payload, SigningKey, Update};
use lockgate::{Uuid, Version};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [base, image, "-o", package, key, vendor, class, version, counter, block, load @ ..] = &words[..] else {
        return Err("see the top of examples/delta_package.rs".into());
    };
    let mut key = SigningKey::from_pem(&fs::read_to_string(key)?)?;
    let vendor = Uuid::parse(vendor).ok_or("VENDOR is no UUID")?;
    let class = Uuid::parse(class).ok_or("CLASS is no UUID")?;
    let version = Version::parse(version).ok_or("VERSION is no version")?;
    let mut update = Update::new(vendor, class, version, counter.parse()?).block_size(block.parse()?)?;
    if let [address] = load {
        update = update.load_address(u32::from_str_radix(address.trim_start_matches("0x"), 16)?);
    }
    let payload = Payload::delta(&fs::read(base)?, &fs::read(image)?, Window::new(8, 7))?;
    fs::write(package, update.encode(&payload, &mut [&mut key])?.bytes())?;
    Ok(())
}
