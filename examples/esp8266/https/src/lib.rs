//! HTTPS for a chip with 80 KiB of RAM: TLS 1.3 that authenticates the server, and a GET that can resume.
//!
//! The records and the key exchange are `embedded-tls`; whom to believe is decided here. The server must prove that it holds
//! the key of a certificate which one pinned P-256 key has signed, directly, for its name. Chains through intermediates,
//! other algorithms and revocation are out of scope: an update is signed itself, TLS keeps it private and its source honest.
//!
//! ```text
//! Connection::new ── open ──► Session ── get ──► Response: embedded_io::Read, ends after Content-Length bytes
//!                     │
//!                     └─ no Session without a certificate and a signature that were both verified
//! ```
//!
//! ```no_run
//! # struct Tcp;
//! # impl embedded_io::ErrorType for Tcp { type Error = embedded_io::ErrorKind; }
//! # impl embedded_io::Read for Tcp { fn read(&mut self, _: &mut [u8]) -> Result<usize, Self::Error> { Ok(0) } }
//! # impl embedded_io::Write for Tcp {
//! #     fn write(&mut self, _: &[u8]) -> Result<usize, Self::Error> { Ok(0) }
//! #     fn flush(&mut self) -> Result<(), Self::Error> { Ok(()) }
//! # }
//! # const CA: [u8; 64] = [0; 64];
//! # const BUILT: u64 = 0;
//! use embedded_io::Read;
//! use https::{Connection, Fragment, Now, Server, WRITE_BUFFER};
//!
//! # fn main() -> Result<(), https::Error> {
//! # let mut stream = Tcp;
//! # let mut rng = rand_core::OsRng;
//! let server = Server { name: "updates.example", port: 443, ca: &CA, now: Now::NotBefore(BUILT) };
//! let mut read = [0; Fragment::Bytes1024.read_buffer()];
//! let mut write = [0; WRITE_BUFFER];
//!
//! let mut connection = Connection::new(&mut stream, &mut read, &mut write);
//! let mut package = connection.open(&server, Fragment::Bytes1024, &mut rng)?.get("/fw.lgu", 4096)?;
//! let mut skip = 4096 - package.start(); // 0, or 4096 where the server knows no ranges
//! let mut chunk = [0; 256];
//! loop {
//!     let bytes = package.read(&mut chunk)?;
//!     if bytes == 0 {
//!         break;
//!     }
//!     // ...
//! #   skip = skip.saturating_sub(bytes as u32);
//! }
//! connection.close();
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

pub mod certificate;
mod connection;
mod der;
mod ecdsa;
mod error;
pub mod http;
mod records;
mod server;
mod time;
mod verifier;

pub use certificate::Refusal;
pub use connection::{Channel, Connection, Fragment, Session, WRITE_BUFFER};
pub use error::Error;
pub use http::Response;
pub use server::{Now, Server};
