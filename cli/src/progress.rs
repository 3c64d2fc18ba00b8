//! A sign of life for images that take a while.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Smaller images are through before anyone looks.
const WORTH_A_BAR: u64 = 16 << 20;

/// A bar over `bytes`; invisible for small images, and where standard error is no terminal.
pub(crate) fn bar(what: &'static str, bytes: u64) -> ProgressBar {
    styled(what, bytes, "{msg} [{bar:40}] {bytes} of {total_bytes}, {eta} left")
}

/// As [`bar`], for work that does not tell how far it is.
pub(crate) fn spinner(what: &'static str, bytes: u64) -> ProgressBar {
    let spinner = styled(what, bytes, "{spinner} {msg} {total_bytes}");
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn styled(what: &'static str, bytes: u64, template: &str) -> ProgressBar {
    if bytes < WORTH_A_BAR {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style).with_message(what)
}
