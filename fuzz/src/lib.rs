//! What the fuzz targets run, and the oracles that judge it.

mod manifest;
mod payload;
#[path = "../../tests/common/payload_driver.rs"]
mod payload_driver;
#[path = "../../tests/common/payload_ref.rs"]
mod payload_ref;
mod records;
mod stream;

pub use manifest::manifest;
pub use payload::{delta, heatshrink};
pub use records::records;
pub use stream::package_stream;
