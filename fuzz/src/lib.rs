//! What the fuzz targets run, and the oracles that judge it.

mod manifest;
mod records;
mod stream;

pub use manifest::manifest;
pub use records::records;
pub use stream::package_stream;
