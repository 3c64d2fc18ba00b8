//! An index of alternatives (`docs/index.md`): which package is for whom. A hint that anyone may forge.

use std::fmt;

use lockgate::{Digest, Version};

/// The end of an index' file name.
pub(crate) const EXTENSION: &str = "lgi";
/// An index is not longer: 256 lines and two.
pub(crate) const MAX_SIZE: u64 = 128 << 10;

const FIRST: &str = "lockgate index 1";
const MAX_LINES: usize = 256;
const MAX_NAME: usize = 200;

/// Packages that all make one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) version: Version,
    pub(crate) security_counter: u32,
    pub(crate) image_size: u32,
    pub(crate) image: Digest,
    pub(crate) packages: Vec<Entry>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it is a delta of; `None`: it is for whatever runs.
    pub(crate) base: Option<Digest>,
    pub(crate) size: u32,
    /// Bytes that its decoder needs.
    pub(crate) workspace: u32,
    pub(crate) name: String,
}

impl Index {
    /// Reads an index; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix('\n').ok_or("not an index: it does not end with a line feed")?;
        let mut lines = text.split('\n');
        match lines.next() {
            Some(FIRST) => {}
            Some(line) if line.starts_with("lockgate index ") => return Err("an index of another version".into()),
            _ => return Err("not an index of packages".into()),
        }
        let mut index = lines.next().and_then(image).ok_or("line 2 is none of an image")?;
        for (number, line) in lines.enumerate() {
            let entry = entry(line).ok_or_else(|| format!("line {} is none of a package", number + 3))?;
            let twice = |other: &Entry| (other.base, other.workspace) == (entry.base, entry.workspace);
            if index.packages.iter().any(twice) {
                return Err(format!("line {} is for the same devices as another", number + 3));
            }
            index.packages.push(entry);
        }
        match index.packages.len() {
            1..=MAX_LINES => Ok(index),
            count => Err(format!("{count} packages: an index has 1 to {MAX_LINES}")),
        }
    }

    /// Puts the packages into their order: deltas first, the smaller first.
    pub(crate) fn sort(&mut self) {
        self.packages.sort_by_key(|entry| (entry.base.is_none(), entry.size));
    }

    /// The package for a device that runs this image and lends this workspace.
    pub(crate) fn choose(&self, fits: impl Fn(&Digest) -> bool, workspace: u32) -> Option<&Entry> {
        self.packages.iter().find(|entry| entry.workspace <= workspace && entry.base.as_ref().is_none_or(&fits))
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, security_counter, image_size, image, packages } = self;
        writeln!(f, "{FIRST}\nimage {version} {security_counter} {image_size} {image}")?;
        for Entry { base, size, workspace, name } in packages {
            let base = base.map_or("*".into(), |base| base.to_string());
            writeln!(f, "package {base} {size} {workspace} {name}")?;
        }
        Ok(())
    }
}

/// Whether a package of this name can stand in an index.
pub(crate) fn is_name(name: &str) -> bool {
    let good = |byte: u8| !matches!(byte, 0..0x20 | 0x7F | b'/' | b'\\');
    (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(good)
}

fn image(line: &str) -> Option<Index> {
    let mut fields = line.strip_prefix("image ")?.split(' ');
    let text = fields.next()?;
    let version = Version::parse(text).filter(|version| version.to_string() == text)?;
    let (security_counter, image_size) = (number(fields.next()?)?, number(fields.next()?)?);
    let image = digest(fields.next()?)?;
    fields.next().is_none().then_some(Index { version, security_counter, image_size, image, packages: Vec::new() })
}

fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.strip_prefix("package ")?.splitn(4, ' ');
    let base = match fields.next()? {
        "*" => None,
        text => Some(digest(text)?),
    };
    let (size, workspace) = (number(fields.next()?)?, number(fields.next()?)?);
    let name = fields.next().filter(|name| is_name(name))?.into();
    Some(Entry { base, size, workspace, name })
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

fn digest(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    let plain = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2).filter(|_| plain)?, 16).ok()?;
    }
    Some(Digest(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Index {
        let entry = |base: Option<u8>, size, workspace, name: &str| Entry {
            base: base.map(|byte| Digest([byte; 32])),
            size,
            workspace,
            name: name.into(),
        };
        Index {
            version: Version::new(1, 2, 3, 4),
            security_counter: 7,
            image_size: 41_912,
            image: Digest([0xAB; 32]),
            packages: vec![
                entry(Some(1), 900, 2304, "fw-from-1.0.0.lgu"),
                entry(Some(1), 1000, 512, "fw small.lgu"),
                entry(None, 30_000, 512, "fw-small.lgu"),
                entry(None, 43_000, 0, "fw.lgu"),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Index::parse(&example().to_string()), Ok(example()));
    }

    #[test]
    fn the_first_line_that_fits_is_taken() {
        let index = example();
        let chosen = |byte: u8, workspace| {
            let entry = index.choose(|digest| *digest == Digest([byte; 32]), workspace);
            entry.map(|entry| entry.name.as_str())
        };
        assert_eq!(chosen(1, 4096), Some("fw-from-1.0.0.lgu"));
        assert_eq!(chosen(1, 512), Some("fw small.lgu"));
        assert_eq!(chosen(1, 256), Some("fw.lgu"));
        assert_eq!(chosen(2, 4096), Some("fw-small.lgu"));
        let deltas = Index { packages: example().packages[..2].to_vec(), ..example() };
        assert!(deltas.choose(|digest| *digest == Digest([2; 32]), 4096).is_none());
    }

    #[test]
    fn another_layout_is_refused() {
        let good = example().to_string();
        let twice = format!("{good}package * 1 0 again.lgu\n");
        let many: String = (0..257).map(|at| format!("package * 1 {at} fw.lgu\n")).collect();
        let many = good.lines().take(2).map(|line| format!("{line}\n")).collect::<String>() + &many;
        for wrong in [
            "",
            "lockgate index 1\n",
            good.trim_end(),
            &good.replace("index 1", "index 2"),
            &good.replace('\n', "\r\n"),
            &good.replace("900", "0900"),
            &good.replace("900", "+900"),
            &good.replace("1.2.3+4", "1.2.3+04"),
            &good.replace("abab", "ABAB"),
            &good.replace("fw.lgu", "../fw.lgu"),
            &good.replace("fw.lgu", "a/fw.lgu"),
            &good.replace(" fw.lgu", ""),
            &good.replace("package * 43000", "packages * 43000"),
            &format!("{good}\n"),
            &twice,
            &many,
        ] {
            assert!(Index::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
