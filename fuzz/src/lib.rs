//! What the fuzz targets run, and the oracles that judge it.

mod manifest;
mod stream;

pub use manifest::manifest;
pub use stream::package_stream;
