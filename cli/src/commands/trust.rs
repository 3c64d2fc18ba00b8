//! `--key` or `--trusted`: the keys that a device in a flash file is built with, and those that it trusts now.

use std::path::PathBuf;

use lockgate::pack::{Keys, SignedKeys};
use lockgate::{sim, Device, KeySet, Layout};

use crate::board::Board;
use crate::failure::Failure;
use crate::flash_file::FileFlash;
use crate::{description, keys};

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct TrustOptions {
    /// A public key that the device trusts, in PEM; may be repeated
    #[arg(short, long = "key", value_name = "PEM")]
    keys: Vec<PathBuf>,

    /// How many of these keys must have signed [default: 1]
    #[arg(long, value_name = "N", requires = "keys")]
    threshold: Option<u8>,

    /// The key set that the device was built with, as `lockgate keys` describes it: the device takes key sets in front of
    /// an update, into the key store of its board
    #[arg(long, value_name = "KEYS.json")]
    trusted: Option<PathBuf>,
}

/// What a device is built with.
pub(crate) struct Trust {
    sign: KeySet<'static>,
    /// The whole set, and its keys that rotate.
    rotates: Option<(Keys, KeySet<'static>)>,
}

impl TrustOptions {
    pub(crate) fn read(&self, board: &Board) -> Result<Trust, Failure> {
        let Some(path) = &self.trusted else {
            return Ok(Trust { sign: keys::key_set(&self.keys, self.threshold)?, rotates: None });
        };
        if board.layout().keys_range().is_empty() {
            let why = format_args!("{} has no key store: describe the board with `keys` in its layout", board.name());
            return Err(Failure::usage("--trusted", why));
        }
        let built = description::read(path)?;
        let rotate = keys::with_role(&built, true)?;
        Ok(Trust { sign: keys::with_role(&built, false)?, rotates: Some((built, rotate)) })
    }
}

impl Trust {
    /// The keys built in that sign updates.
    pub(crate) fn sign(&self) -> KeySet<'static> {
        self.sign
    }

    /// The set built in, if the device rotates its keys.
    pub(crate) fn built(&self) -> Option<&Keys> {
        self.rotates.as_ref().map(|(built, _)| built)
    }

    /// `device`, which has the keys that sign already, with those that rotate.
    pub(crate) fn build(&self, device: Device<'static>) -> Device<'static> {
        match &self.rotates {
            Some((built, rotate)) => device.rotate_keys(*rotate).key_set_version(built.version),
            None => device,
        }
    }

    /// The keys that sign updates for the device whose flash holds `bytes`, and the version of their set.
    pub(crate) fn now(&self, board: &Board, bytes: &[u8]) -> Result<(KeySet<'static>, u32), Failure> {
        let Some(built) = self.built() else { return Ok((self.sign, 0)) };
        let state = sim::records(board.layout(), FileFlash::holding(board, bytes).chip()).state;
        let places = state.map_or(1..=3, |state| state.keys..=state.keys);
        let stored = places.filter_map(|number| place(board.layout(), bytes, number));
        let stored = stored.filter_map(|place| SignedKeys::read(place).ok()).map(|(set, _)| set.keys);
        let ours = stored.filter(|set| (set.vendor, set.class) == (built.vendor, built.class));
        match ours.max_by_key(|set| set.version).filter(|set| set.version > built.version) {
            Some(set) => Ok((keys::with_role(&set, false)?, set.version)),
            None => Ok((self.sign, built.version)),
        }
    }
}

/// What lies from a place of the key store on; 0 is no place.
fn place<'b>(layout: &Layout, bytes: &'b [u8], number: u8) -> Option<&'b [u8]> {
    bytes.get(layout.key_place(number)? as usize..layout.keys_range().end as usize)
}
