//! Which encodings are asked for.

use clap::ValueEnum;
use lockgate::manifest::Window;

use crate::failure::Failure;

/// The largest window, unless `--window` says otherwise: that of 256 bytes.
const WINDOW: u8 = 8;
/// What suits images, and what suits patches, which are mostly zeros.
const IMAGE: Window = Window { window: WINDOW, lookahead: 4 };
const PATCH: Window = Window { window: WINDOW, lookahead: 7 };

/// How the payload becomes the image. (Comments here would make the help long.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    Auto,
    Raw,
    Heatshrink,
    Delta,
}

/// How to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compress {
    No,
    /// With these parameters, or those that suit.
    Heatshrink(Option<Window>),
}

/// `none`, `heatshrink`, or `heatshrink:8,7`.
pub(crate) fn compress(text: &str) -> Result<Compress, String> {
    match text {
        "none" => return Ok(Compress::No),
        "heatshrink" => return Ok(Compress::Heatshrink(None)),
        _ => {}
    }
    let parameters = text.strip_prefix("heatshrink:").ok_or("expected none, heatshrink or heatshrink:W,L")?;
    let (window, lookahead) = parameters.split_once(',').ok_or("expected heatshrink:W,L as in heatshrink:8,7")?;
    let window = window.parse().ok().zip(lookahead.parse().ok()).and_then(|(w, l)| Window::new(w, l));
    window
        .map(|window| Compress::Heatshrink(Some(window)))
        .ok_or_else(|| "a window W of 8 to 11 and a lookahead L of 3 to 10 are taken (powers of two), L below W".into())
}

/// What a package is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The smallest with windows up to this one.
    Auto(u8),
    Raw,
    Heatshrink(Window),
    Delta(Option<Window>),
}

/// The options that say so.
#[derive(Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) encoding: Option<Choice>,
    pub(crate) compress: Option<Compress>,
    pub(crate) window: Option<u8>,
    /// There is a base.
    pub(crate) base: bool,
}

impl Wishes {
    /// The largest window that devices have room for.
    pub(crate) fn largest(&self) -> u8 {
        self.window.unwrap_or(WINDOW)
    }

    /// What the package is to hold; with several bases, what each base's is.
    pub(crate) fn wish(&self) -> Result<Wish, Failure> {
        let compressed = |suits: Window| match self.compress {
            Some(Compress::Heatshrink(Some(window))) => self.allowed(window),
            _ => Ok(suits),
        };
        let default = match self.compress {
            _ if self.base => Choice::Delta,
            Some(Compress::Heatshrink(_)) => Choice::Heatshrink,
            _ => Choice::Raw,
        };
        let choice = self.encoding.unwrap_or(default);
        match (choice, self.compress) {
            (Choice::Raw | Choice::Heatshrink, _) if self.base => {
                Err(Failure::usage("--base", "for a delta: leave it out, or choose --encoding delta or auto"))
            }
            (Choice::Delta, _) if !self.base => {
                Err(Failure::usage("--encoding delta", "name the image that runs on the devices with --base"))
            }
            (Choice::Auto, Some(_)) => {
                Err(Failure::usage("--compress", "auto tries all that --window allows: leave one of the two out"))
            }
            (Choice::Raw, Some(Compress::Heatshrink(_))) | (Choice::Heatshrink, Some(Compress::No)) => {
                Err(Failure::usage("--compress", "not what --encoding says: leave one of the two out"))
            }
            (Choice::Auto, None) => Ok(Wish::Auto(self.largest())),
            (Choice::Raw, _) => Ok(Wish::Raw),
            (Choice::Heatshrink, _) => Ok(Wish::Heatshrink(compressed(IMAGE)?)),
            (Choice::Delta, Some(Compress::No)) => Ok(Wish::Delta(None)),
            (Choice::Delta, _) => Ok(Wish::Delta(Some(compressed(PATCH)?))),
        }
    }

    /// What the package for everybody is to hold, beside those of several bases: compressed only where that was
    /// asked for, since older devices may have no decoder.
    pub(crate) fn whole(&self) -> Result<Wish, Failure> {
        let whole = Self { base: false, encoding: self.encoding.filter(|choice| *choice == Choice::Auto), ..*self };
        whole.wish()
    }

    fn allowed(&self, window: Window) -> Result<Window, Failure> {
        match self.window {
            Some(largest) if window.window > largest => {
                let why = format_args!("window {}, --window allows {largest}", window.window);
                Err(Failure::usage("--compress", why))
            }
            _ => Ok(window),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_is_compressed_unless_told_otherwise() {
        let wishes = Wishes { encoding: None, compress: None, window: None, base: true };
        assert_eq!(wishes.wish().unwrap(), Wish::Delta(Some(PATCH)));
        assert_eq!(wishes.whole().unwrap(), Wish::Raw);
        let none = Wishes { compress: Some(Compress::No), ..wishes };
        assert_eq!(none.wish().unwrap(), Wish::Delta(None));
        assert_eq!(none.whole().unwrap(), Wish::Raw);
        let both = Wishes { compress: compress("heatshrink").ok(), ..wishes };
        assert_eq!(both.wish().unwrap(), Wish::Delta(Some(PATCH)));
        assert_eq!(both.whole().unwrap(), Wish::Heatshrink(IMAGE));
        let auto = Wishes { encoding: Some(Choice::Auto), window: Some(10), ..wishes };
        assert_eq!((auto.wish().unwrap(), auto.whole().unwrap()), (Wish::Auto(10), Wish::Auto(10)));
    }

    #[test]
    fn parameters_have_limits() {
        assert_eq!(compress("heatshrink:11,4"), Ok(Compress::Heatshrink(Window::new(11, 4))));
        for wrong in ["", "lzma", "heatshrink:", "heatshrink:8", "heatshrink:8,8", "heatshrink:12,4", "heatshrink:7,3"]
        {
            assert!(compress(wrong).is_err(), "{wrong}");
        }
    }
}
