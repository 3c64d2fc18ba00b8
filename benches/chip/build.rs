//! Makes what the programs work on: images, their packages, and the signatures that are checked.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use ed25519_dalek::Signer as _;
use lockgate::manifest::Window;
use lockgate::pack::{Payload, Signer};
use lockgate::Digest;
use sha2::Digest as _;

#[path = "../common/code.rs"]
mod code;
#[path = "../common/ids.rs"]
mod ids;
#[path = "../common/inputs.rs"]
mod inputs;

use inputs::{noise, update, Known, SECRET};

const IMAGE_SIZE: usize = 256 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for path in ["build.rs", "link/memory.x", "../common"] {
        println!("cargo:rerun-if-changed={path}");
    }
    if env::var("CARGO_CFG_TARGET_ARCH")? == "arm" {
        // Found by `link.x` of cortex-m-rt.
        fs::copy("link/memory.x", out.join("memory.x"))?;
        println!("cargo:rustc-link-search={}", out.display());
        println!("cargo:rustc-link-arg-bins=-Tlink.x");
    }

    let block_size = if feature("LARGE_BLOCKS") { 4096 } else { 1024 };
    let image = noise(IMAGE_SIZE);
    let mut key = Known::new();
    let package = update(block_size).build(&image, &mut [&mut key])?;
    let digest = Digest(sha2::Sha256::digest(&image).into());
    let signature = key.sign(&digest).map_err(|error| error as Box<dyn Error>)?;

    // As embassy-boot wants it: a signature over the SHA-512 of the image.
    let ed25519 = ed25519_dalek::SigningKey::from_bytes(&SECRET);
    let ed25519_signature = ed25519.sign(&sha2::Sha512::digest(&image)).to_bytes();

    write(&out, "image", &image)?;
    write(&out, "digest", &digest.0)?;
    write(&out, "signature", &signature)?;
    write(&out, "key", &key.public_key().0)?;
    write(&out, "ed25519_key", ed25519.verifying_key().as_bytes())?;
    write(&out, "ed25519_signature", &ed25519_signature)?;
    let mut sizes = vec![("IMAGE", IMAGE_SIZE), ("BLOCK", block_size as usize), ("PACKAGE", package.bytes().len())];
    write(&out, "package", package.bytes())?;

    if feature("DECODE") {
        let (base, image) = code::versions(IMAGE_SIZE);
        let payloads = [
            ("HEATSHRINK", Payload::heatshrink(&image, Window { window: 8, lookahead: 4 })?),
            ("DELTA", Payload::delta(&base, &image, Some(Window { window: 8, lookahead: 7 }))?),
        ];
        for (name, payload) in payloads {
            let package = update(block_size).encode(&payload, &mut [&mut key])?;
            write(&out, &name.to_lowercase(), package.bytes())?;
            sizes.push((name, package.bytes().len()));
        }
        write(&out, "code", &image)?;
        write(&out, "base", &base)?;
        write(&out, "base_digest", &sha2::Sha256::digest(&base))?;
    }

    let sizes = sizes.iter().map(|(name, bytes)| format!("/// Bytes.\npub const {name}_SIZE: usize = {bytes};\n"));
    Ok(fs::write(out.join("sizes.rs"), sizes.collect::<String>())?)
}

fn feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

fn write(out: &Path, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(out.join(name), bytes)?)
}
