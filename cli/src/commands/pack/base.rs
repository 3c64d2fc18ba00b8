//! Images that deltas start from: raw binaries, or packages that hold them.

use std::path::{Path, PathBuf};

use lockgate::manifest::{BaseImage, Encoding, Manifest};
use lockgate::pack::{self, unpack};
use lockgate::wire::MAGIC;
use lockgate::{Digest, Version};

use crate::failure::Failure;
use crate::slots::sha256;
use crate::style::count;
use crate::{files, image};

/// An image that runs in the field.
pub(crate) struct Base {
    pub(crate) path: PathBuf,
    pub(crate) image: Vec<u8>,
    pub(crate) digest: Digest,
    /// Known if it came in a package.
    pub(crate) version: Option<Version>,
}

impl Base {
    /// The image in a file: as it is, or in a package of the whole image.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read(path)?;
        let (image, version) = match bytes.starts_with(&MAGIC) {
            true => packed(path, &bytes)?,
            false => (image::read(path)?, None),
        };
        if image.is_empty() {
            return Err(Failure::refused(path.display(), "empty: the base is the image that runs on the devices"));
        }
        Ok(Self { path: path.into(), digest: sha256(&image), image, version })
    }

    /// All of them, each once.
    pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>, Failure> {
        let mut bases: Vec<Self> = Vec::new();
        for path in paths {
            let base = Self::read(path)?;
            if let Some(other) = bases.iter().find(|other| other.digest == base.digest) {
                let why = format_args!("the same image as the base {}: give each once", other.path.display());
                return Err(Failure::usage(path.display(), why));
            }
            bases.push(base);
        }
        Ok(bases)
    }

    /// Refuses an image that is this one.
    pub(crate) fn differs(&self, image: &Path, digest: &Digest) -> Result<(), Failure> {
        match self.digest == *digest {
            true => {
                let why = format_args!("identical to the base {}: nothing would change", self.path.display());
                Err(Failure::refused(image.display(), why))
            }
            false => Ok(()),
        }
    }

    /// Refuses a package that is no delta of this image.
    pub(crate) fn is_of(&self, package: &Path, manifest: &Manifest) -> Result<(), Failure> {
        let why = match manifest.base_image {
            Some(BaseImage { digest, .. }) if digest == self.digest => return Ok(()),
            Some(BaseImage { size, digest }) => {
                let (size, path) = (count(size.into(), "byte", "bytes"), self.path.display());
                format!("a delta of another image than {path} (that is {}): of one of {size}, {digest}", self.short())
            }
            None => "no delta: leave --base out".into(),
        };
        Err(Failure::refused(package.display(), why))
    }

    /// The first digits of its digest, as file names have them.
    pub(crate) fn short(&self) -> String {
        self.digest.to_string().chars().take(8).collect()
    }

    /// What it is called in file names.
    pub(crate) fn name(&self) -> String {
        self.version.map_or_else(|| self.short(), |version| version.to_string())
    }
}

fn packed(path: &Path, package: &[u8]) -> Result<(Vec<u8>, Option<Version>), Failure> {
    let refused = |why: &dyn std::fmt::Display| Failure::refused(path.display(), why);
    let found = pack::inspect(package).map_err(|refusal| refused(&refusal))?;
    let manifest = found.manifest;
    if let Encoding::Delta(_) = manifest.encoding {
        return Err(refused(&"a delta holds no whole image: give the image itself, or the package for everybody"));
    }
    let blocks = found.blocks().collect::<Result<Vec<_>, _>>().map_err(|refusal| refused(&refusal))?;
    let image = unpack(manifest.encoding, &blocks.concat(), &[], manifest.image_size).map_err(|why| refused(&why))?;
    match sha256(&image) == manifest.image_digest {
        true => Ok((image, Some(manifest.version))),
        false => Err(refused(&"its blocks hold another image than its manifest says")),
    }
}
