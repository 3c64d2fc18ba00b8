//! Patches that other tools made (`detools create_patch`).

use std::path::Path;

use lockgate::manifest::Encoding;
use lockgate::pack::{Fault, Payload, PayloadError};
use lockgate::wire::MAGIC;

use super::base::Base;
use crate::failure::Failure;
use crate::files;

/// The patch as a payload, and the image that it makes of `base`; that must be `image`, if it is given. Windows up to
/// `largest` are taken.
pub(super) fn read(
    path: &Path,
    base: &Base,
    image: Option<(&Path, &[u8])>,
    largest: u8,
) -> Result<(Payload, Vec<u8>), Failure> {
    let patch = files::read(path)?;
    if patch.starts_with(&MAGIC) {
        return Err(Failure::refused(path.display(), "a lockgate package, not a patch: it is packed already"));
    }
    let (payload, made) = Payload::patch(&base.image, patch).map_err(|error| {
        let of = base.path.display();
        match error {
            PayloadError::PatchType { .. } => Failure::refused(
                path.display(),
                format_args!("{error}: make it with `detools create_patch --compression heatshrink`"),
            ),
            PayloadError::Window { .. } => Failure::refused(
                path.display(),
                format_args!("{error}: see --heatshrink-window-sz2 of `detools create_patch`"),
            ),
            PayloadError::Refused(Fault::DataFormat) => {
                Failure::refused(path.display(), format_args!("{error}: make it without --data-format"))
            }
            error => Failure::refused(path.display(), format_args!("{error}: is it a patch of {of}?")),
        }
    })?;
    if let Encoding::Delta(Some(window)) = payload.encoding() {
        if window.window > largest {
            let why = format_args!(
                "window {}, {largest} is allowed: say --window {} if the devices have {} bytes for it, or make it with --heatshrink-window-sz2 {largest}",
                window.window,
                window.window,
                1_u32 << window.window
            );
            return Err(Failure::refused(path.display(), why));
        }
    }
    if let Some((image, bytes)) = image {
        if bytes != made {
            let (of, image) = (base.path.display(), image.display());
            let why =
                format_args!("of {of} it makes another image than {image}: is it a patch from the one to the other?");
            return Err(Failure::refused(path.display(), why));
        }
    }
    base.differs(path, &payload.image_digest())?;
    Ok((payload, made))
}
