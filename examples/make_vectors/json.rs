//! What a manifest says, as it stands in the `.json` beside a vector.

use lockgate::Uuid;

use super::bytes::{hex, number, sha256};
use super::update::Update;

/// Name and value, the value in JSON.
pub(crate) type Fields = Vec<(&'static str, String)>;

/// One field a line, ending with whom the vector asks to trust.
pub(crate) fn object(fields: &Fields, threshold: u8, keys: &str) -> String {
    let lines: String = fields.iter().map(|(name, value)| format!("  \"{name}\": {value},\n")).collect();
    let keys = list(keys.chars().map(|key| format!("test-key-{key}")));
    format!("{{\n{lines}  \"trust\": {{\"threshold\": {threshold}, \"keys\": {keys}}}\n}}\n")
}

pub(crate) fn quoted(value: impl ToString) -> String {
    format!("\"{}\"", value.to_string())
}

pub(crate) fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.map(quoted).collect::<Vec<_>>().join(", "))
}

pub(crate) fn or_null(value: Option<impl ToString>) -> String {
    value.map_or("null".into(), |value| value.to_string())
}

pub(crate) fn base_image(size: u32, digest: impl ToString) -> String {
    format!("{{\"size\": {size}, \"digest\": {}}}", quoted(digest))
}

/// An encoding with its window and lookahead, if it has them.
pub(crate) fn encoding(name: &str, parameters: Option<[u8; 2]>) -> String {
    let [window, lookahead] = parameters.unwrap_or_default();
    match parameters {
        Some(_) => format!("{{\"name\": \"{name}\", \"window\": {window}, \"lookahead\": {lookahead}}}"),
        None => format!("{{\"name\": \"{name}\"}}"),
    }
}

/// The fields of a well-formed update with these entries, behind so many key sets.
pub(super) fn fields(update: &Update, entries: &[Vec<u8>], key_sets: usize) -> Fields {
    let part = |element| update.value(element).unwrap_or_default();
    let uuid = |element| quoted(Uuid(part(element).try_into().expect("16 bytes")));
    let text = |element| number(part(element)).to_string();
    let (version, build) = part(4).split_at(4);
    let build = if number(build) > 0 { format!("+{}", number(build)) } else { String::new() };
    let block_size = 1 << part(8)[0];
    let encoding = match *part(11) {
        [1, window, lookahead] => encoding("heatshrink", Some([window, lookahead])),
        [2, 1, window, lookahead] => encoding("delta", Some([window, lookahead])),
        [2, 0] => encoding("delta", None),
        _ => quoted("raw"),
    };
    vec![
        ("vendor", uuid(1)),
        ("class", uuid(2)),
        ("component", text(3)),
        ("version", quoted(format!("{}.{}.{}{build}", version[0], version[1], number(&version[2..])))),
        ("security_counter", text(5)),
        ("image_size", text(6)),
        ("image_digest", quoted(hex(part(7)))),
        ("block_size", block_size.to_string()),
        ("payload_length", text(9)),
        ("first_block_hash", quoted(hex(part(10)))),
        ("encoding", encoding),
        ("base_image", or_null(update.value(12).map(|base| base_image(number(&base[..4]), hex(&base[4..]))))),
        ("load_address", or_null(update.value(13).map(number))),
        ("manifest_digest", quoted(hex(&sha256(&update.signed())))),
        ("blocks", number(part(9)).div_ceil(block_size).to_string()),
        ("key_ids", list(entries.iter().map(|entry| hex(&entry[2..10])))),
        ("key_sets", key_sets.to_string()),
    ]
}
