//! What the measured programs share: the rig that counts, the flash in RAM, and the update itself.
//!
//! Each program in `src/bin` does one thing, so that its size without that of the program `empty` is the size of that
//! thing.

#![no_std]

#[path = "../../common/flash.rs"]
pub mod flash;
#[path = "../../common/ids.rs"]
mod ids;
pub mod inputs;
pub mod rig;
pub mod update;

/// A program: what it does, which says whether that went well, and the statics that are lent to it. `table.py` knows the one that plays the flash by
/// its name, `cells`.
#[macro_export]
macro_rules! program {
    (|| $work:expr) => {
        $crate::program!(| | $work);
    };
    (|$($name:ident: $type:ty),*| $work:expr) => {
        #[no_mangle]
        extern "C" fn main() -> ! {
            $(
                let $name = {
                    #[allow(non_upper_case_globals)]
                    static mut $name: $type = <$type>::new();
                    // SAFETY: the start-up code calls `main`, and only once.
                    unsafe { &mut *(&raw mut $name) }
                };
            )*
            $crate::rig::exit($work)
        }
    };
}
