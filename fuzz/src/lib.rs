//! What the fuzz targets run, and the oracles that judge it.

mod boot;
mod certificate;
mod http;
mod key_judge;
mod key_set;
mod manifest;
mod payload;
#[path = "../../tests/common/payload_driver.rs"]
mod payload_driver;
#[path = "../../tests/common/payload_ref.rs"]
mod payload_ref;
mod power_cut;
mod records;
/// The proof's devices and their model.
#[path = "../../examples/power_cut/rig/mod.rs"]
mod rig;
mod script;
mod serial;
mod stream;

pub use boot::boot;
pub use certificate::certificate;
pub use http::http;
pub use key_set::key_set;
pub use manifest::manifest;
pub use payload::{delta, heatshrink};
pub use power_cut::power_cut;
pub use records::records;
pub use serial::serial;
pub use stream::package_stream;
