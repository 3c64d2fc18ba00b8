//! The page at `/`: the packages there are, as they describe themselves.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use lockgate::pack;

use crate::slots::kib;

/// Key sets, manifest and signatures of a package are shorter than this.
const MAX_HEAD: u64 = 1 << 20;

/// A package in the directory.
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// What its manifest says; nobody has checked the signature.
    pub(crate) version: String,
}

/// The packages of `directory`, by name.
pub(crate) fn packages(directory: &Path) -> Vec<Listed> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut packages: Vec<Listed> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let size = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file)?.len();
            is_package(&name).then(|| Listed { version: version(&entry.path()), name, size })
        })
        .collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    packages
}

/// Whether a file of this name is served as a package: it lies in the directory itself, is not hidden, and ends in `.lgu`.
pub(super) fn is_package(name: &str) -> bool {
    name.ends_with(".lgu") && is_plain(name)
}

/// Whether it is served as an index of packages.
pub(super) fn is_index(name: &str) -> bool {
    name.ends_with(".lgi") && is_plain(name)
}

fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

fn version(path: &Path) -> String {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_HEAD).read_to_end(&mut head));
    match (read, pack::inspect(&head)) {
        (Ok(_), Ok(found)) => format!("{}, counter {}", found.manifest.version, found.manifest.security_counter),
        (Ok(_), Err(refusal)) => refusal.to_string(),
        (Err(error), _) => error.to_string(),
    }
}

pub(super) fn html(directory: &Path) -> String {
    let mut rows = String::new();
    for Listed { name, size, version } in packages(directory) {
        let size = kib(u32::try_from(size).unwrap_or(u32::MAX));
        _ = writeln!(
            rows,
            "<tr><td><a href=\"/{}\">{}</a></td><td>{}</td><td>{size}</td></tr>",
            encoded(&name),
            escaped(&name),
            escaped(&version)
        );
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>lockgate packages</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem}}td,th{{text-align:left;padding:.2rem 2rem .2rem 0}}</style>\n\
         <h1>Packages</h1>\n<table>\n<tr><th>package</th><th>version</th><th>size</th></tr>\n{rows}</table>\n</html>\n"
    )
}

/// For the text of a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// For the path of a URL (RFC 3986, section 2).
pub(crate) fn encoded(name: &str) -> String {
    let mut text = String::new();
    for &byte in name.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            _ => _ = write!(text, "%{byte:02X}"),
        }
    }
    text
}

/// The reverse; `None` for what is no text or wrongly encoded.
pub(super) fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_markup() {
        assert_eq!(escaped("<b>\"&"), "&lt;b&gt;&quot;&amp;");
        assert_eq!(encoded("a b\"<.lgu"), "a%20b%22%3C.lgu");
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for name in ["a b\"<.lgu", "grün 100%.lgu", "a+b.lgu"] {
            assert_eq!(decoded(&encoded(name)).as_deref(), Some(name));
        }
        for path in ["%", "%2", "%zz", "%+1", "%ff"] {
            assert_eq!(decoded(path), None, "{path}");
        }
    }
}
