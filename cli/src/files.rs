//! Reads and writes files: whole or not at all, and with errors that name the file.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The longest key or description file that is read: an image given in its place is not swallowed whole.
const MAX_TEXT: u64 = 1 << 20;
/// The longest file that is read at all: a device or a pipe may never end.
const MAX_FILE: u64 = 1 << 30;

/// The whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    load(path, MAX_FILE).map(|mut bytes| mem::take(&mut *bytes))
}

/// The whole of a short file, wiped from memory when it is dropped: somebody may give a private key in its place.
pub(crate) fn read_short(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    load(path, MAX_TEXT)
}

/// The whole file as text, wiped from memory when it is dropped: it may be a private key.
pub(crate) fn read_text(path: &Path) -> Result<Zeroizing<String>, Failure> {
    match String::from_utf8(mem::take(&mut *load(path, MAX_TEXT)?)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(Failure::usage(path.display(), "not text (invalid UTF-8)"))
        }
    }
}

fn load(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let cannot = |error| Failure::io(path, format_args!("cannot be read: {error}"));
    let file = File::open(path).map_err(cannot)?;
    // All its room at once: what grows leaves copies of its front behind. The length of a pipe nobody knows.
    let known = file.metadata().map_err(cannot)?;
    let room = if known.is_file() { known.len().min(max) } else { MAX_TEXT };
    let mut bytes = Zeroizing::new(Vec::with_capacity(room as usize + 1));
    file.take(max + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > max {
        let what = if max == MAX_TEXT { "not a text file of the expected kind" } else { "no image or package" };
        return Err(Failure::usage(path.display(), format_args!("longer than {} MiB: {what}", max >> 20)));
    }
    Ok(bytes)
}

/// Writes `bytes` to `path`, replacing what was there. Whoever reads `path` meanwhile sees all of the old
/// file or all of the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_together(&[(path, bytes)])
}

/// As [`write()`], for files that belong together: none is replaced before all are on the disk.
pub(crate) fn write_together(files: &[(&Path, &[u8])]) -> Result<(), Failure> {
    let mut ready = Vec::new();
    for (path, bytes) in files {
        ready.push((*path, Prepared::new(path, bytes)?));
    }
    ready.into_iter().try_for_each(|(path, prepared)| prepared.publish(path))
}

/// Bytes on their way to a file.
enum Prepared<'b> {
    /// In a temporary file in the same directory, under the real name of the target.
    Beside(NamedTempFile, PathBuf),
    /// For a device or a pipe, which a rename would put a plain file in the place of.
    Special(&'b [u8]),
}

impl<'b> Prepared<'b> {
    fn new(path: &Path, bytes: &'b [u8]) -> Result<Self, Failure> {
        let cannot = |error| Failure::io(path, format_args!("cannot be written: {error}"));
        match fs::metadata(path) {
            Ok(old) if old.is_dir() => return Err(Failure::io(path, "cannot be written: it is a directory")),
            Ok(old) if !old.is_file() => return Ok(Self::Special(bytes)),
            Ok(_) if holds_private_key(path)? => {
                return Err(Failure::io(path, "holds a private key, which is not written over: name another output"))
            }
            _ => {}
        }
        // Through a symbolic link: the link stays, its target is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !directory.is_dir() {
            return Err(Failure::io(
                path,
                format_args!("cannot be written: there is no directory {}", directory.display()),
            ));
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".lockgate-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask
        let mut file = builder.tempfile_in(directory).map_err(cannot)?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(cannot)?;
        Ok(Self::Beside(file, target))
    }

    fn publish(self, path: &Path) -> Result<(), Failure> {
        match self {
            Self::Beside(file, target) => file.persist(target).map(drop).map_err(|error| error.error),
            Self::Special(bytes) => {
                OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes))
            }
        }
        .map_err(|error| Failure::io(path, format_args!("cannot be written: {error}")))
    }
}

/// Whether the file is text with a private key in it, behind certificates or curve parameters perhaps. (Code that reads keys holds the
/// words as well.)
fn holds_private_key(path: &Path) -> Result<bool, Failure> {
    let text = load(path, MAX_FILE)?;
    let is_key = text.windows(17).any(|window| window == b" PRIVATE KEY-----" || window == b"BEGIN PRIVATE KEY");
    Ok(is_key && is_text(&text))
}

/// Whether it is nothing but text.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

/// Refuses a name that is taken, before work is done for a file that [`NewFile`] would refuse.
pub(crate) fn check_new(path: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(exists(path)),
        Err(_) => Ok(()),
    }
}

fn exists(path: &Path) -> Failure {
    Failure::io(path, "exists already: choose another name")
}

/// A new file that is removed again when this is dropped, unless it is [`keep`](Self::keep)-ed.
pub(crate) struct NewFile<'p> {
    path: &'p Path,
    kept: bool,
}

impl<'p> NewFile<'p> {
    /// Makes `path`, which must not exist (`O_EXCL`), with `bytes` in it; readable by its owner only if
    /// `private`.
    pub(crate) fn create(path: &'p Path, bytes: &[u8], private: bool) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o644 });
        #[cfg(not(unix))]
        let _ = private;
        let mut file = options.open(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(path),
            _ => Failure::io(path, format_args!("cannot be made: {error}")),
        })?;
        let new = Self { path, kept: false };
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|error| Failure::io(path, format_args!("cannot be written: {error}")))?;
        Ok(new)
    }

    /// All went well: the file stays.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody is left to tell; the failure that brought us here is being reported.
            let _ = fs::remove_file(self.path);
        }
    }
}

/// Refuses an output that would replace an input.
pub(crate) fn check_output(output: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.into());
    match inputs.iter().find(|input| real(input) == real(output)) {
        Some(_) => Err(Failure::usage(output.display(), "is an input as well: name another output with -o")),
        None => Ok(()),
    }
}
