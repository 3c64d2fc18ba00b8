//! Encodings, as people and programs are told of them.

use lockgate::manifest::{Encoding, Window};
use serde_json::{json, Value};

/// Bytes of a piece of the image, the least that a decoder works in.
const PIECE: u32 = 256;

/// Bytes that a device lends a decoder: its window, and a piece of the image.
pub(crate) fn workspace(encoding: Encoding) -> u32 {
    match encoding {
        Encoding::Raw => 0,
        Encoding::Delta(None) => PIECE,
        Encoding::Heatshrink(Window { window, .. }) | Encoding::Delta(Some(Window { window, .. })) => {
            PIECE + (1 << window)
        }
    }
}

pub(crate) fn text(encoding: Encoding) -> String {
    let window = |Window { window, lookahead }: Window| format!("window 2^{window}, lookahead 2^{lookahead}");
    match encoding {
        Encoding::Raw => "raw".into(),
        Encoding::Heatshrink(parameters) => format!("heatshrink, {}", window(parameters)),
        Encoding::Delta(None) => "delta, not compressed".into(),
        Encoding::Delta(Some(parameters)) => format!("delta, heatshrink {}", window(parameters)),
    }
}

pub(crate) fn value(encoding: Encoding) -> Value {
    let parameters = |name: &str, window: Option<Window>| match window {
        Some(Window { window, lookahead }) => json!({ "name": name, "window": window, "lookahead": lookahead }),
        None => json!({ "name": name }),
    };
    match encoding {
        Encoding::Raw => json!("raw"),
        Encoding::Heatshrink(window) => parameters("heatshrink", Some(window)),
        Encoding::Delta(window) => parameters("delta", window),
    }
}

/// Of `whole`, with one decimal.
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    (part as f64 * 1000.0 / whole.max(1) as f64).round() / 10.0
}
