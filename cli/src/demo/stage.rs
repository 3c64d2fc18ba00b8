//! The stage the demo plays on: a directory, a server on loopback, keys, and a device.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use lockgate::pack::{self, Package, Signer, SigningKey};
use lockgate::{Device, KeyId, KeySet, PublicKey};
use tokio::sync::oneshot;

use super::{say, BLOCK, CHECKPOINTS, CLASS, VENDOR, WORKSPACE};
use crate::board::Board;
use crate::boot_stage::{self, Identity};
use crate::failure::Failure;
use crate::flash_file::FileFlash;
use crate::install::Session;
use crate::map::Picture;
use crate::serve::{self, Server};
use crate::style::Style;
use crate::transport::Transport;
use crate::{files, keys};

pub(super) struct Stage {
    pub(super) board: Board,
    /// Signs for the vendor.
    pub(super) key: SigningKey,
    /// What the device believes: this key, alone.
    pub(super) keys: KeySet<'static>,
    /// The update the device takes first.
    pub(super) first: Package,
    directory: PathBuf,
    ca: String,
    url: String,
    server: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
}

impl Stage {
    /// Puts the first package into `directory` and serves it.
    pub(super) fn new(directory: &Path, key: SigningKey, first: Package) -> Result<Self, Failure> {
        let board = Board::named_or_file("esp8266")?;
        std::fs::create_dir_all(directory).map_err(|error| Failure::io(directory, error))?;
        let (tls, ca) = serve::self_signed(vec!["localhost".into(), "127.0.0.1".into()])?;
        let server = Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), directory, Some(tls))
            .map_err(|error| Failure::Io(format!("cannot listen on 127.0.0.1: {error}")))?;
        let url = server.url();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            // Told to stop, or the teller is gone: both end the server.
            server.run(|| async { drop(stopped.await) })
        });
        let keys: &'static [PublicKey] = vec![key.public_key()].leak();
        let stage = Self {
            board,
            keys: KeySet::new(1, keys),
            key,
            first,
            directory: directory.into(),
            ca,
            url,
            server: Some((stop, thread)),
        };
        stage.publish("firmware-1.4.0.lgu", stage.first.bytes())?;
        Ok(stage)
    }

    pub(super) fn key_id(&self) -> KeyId {
        keys::id(&self.key.public_key())
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Puts a file where the server finds it.
    pub(super) fn publish(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        files::write(&self.directory.join(name), bytes)
    }

    /// The way to a file on the server.
    pub(super) fn transport(&self, name: &str) -> Transport {
        Transport::loopback(format!("{}/{name}", self.url), &self.ca)
    }

    /// A client that does not know the CA must not be served: else the demo's TLS would be for show.
    pub(super) fn check_tls(&self, style: Style) -> Result<(), Failure> {
        let url = format!("{}/firmware-1.4.0.lgu", self.url);
        match Transport::loopback(url, "").open(0) {
            Ok(_) => Err(Failure::Refused("a client without the CA's certificate trusted the server".into())),
            Err(error) => {
                say(style, "check", &format!("a client without it gives up: {}", error.why));
                Ok(())
            }
        }
    }

    /// A flash as it leaves its maker.
    pub(super) fn fresh(&self) -> FileFlash {
        FileFlash::in_memory(&self.board)
    }

    /// The device, with these keys.
    pub(super) fn device(&self, keys: KeySet<'static>) -> Device<'static> {
        let identity = Identity { vendor: VENDOR, class: CLASS, component: 0 };
        boot_stage::device(&self.board, Some(identity), Some(keys)).checkpoint_interval(CHECKPOINTS)
    }

    /// The device's updater, with these keys, on this flash.
    pub(super) fn session<'f>(&self, flash: &'f mut FileFlash, keys: KeySet<'static>) -> Result<Session<'f>, Failure> {
        let device = Box::leak(Box::new(self.device(keys)));
        Session::new(device, None, flash, (BLOCK, WORKSPACE))
            .ok_or_else(|| Failure::Refused("no such block buffer".into()))
    }

    /// Leaves public keys and flash behind, if the directory is to stay. (The signing key is there already.)
    pub(super) fn keep(&self, directory: Option<&Path>, flash: &[u8]) -> Result<(), Failure> {
        let Some(directory) = directory else { return Ok(()) };
        let path = |name: &str| directory.join(name);
        let public = pack::public_key_pem(&self.key.public_key()).unwrap_or_default();
        let svg = Picture::new(&self.board, flash, Some(&self.keys)).svg();
        files::write_together(&[
            (&path("ca.pem"), self.ca.as_bytes()),
            (&path("vendor.pub.pem"), public.as_bytes()),
            (&path("flash.bin"), flash),
            (&path("flash.svg"), svg.as_bytes()),
        ])
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.server.take() {
            _ = stop.send(());
            _ = thread.join();
        }
    }
}
