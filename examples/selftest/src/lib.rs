//! One program that shows, on any instruction set, that lockgate refuses, installs, tries, keeps and takes back what it must.
//!
//! `life` is what is tried, the same everywhere; `machine` is what an emulated machine brings: a console, a counter, a stack.

#![cfg_attr(target_os = "none", no_std)]
// Inline assembly for MIPS is not stable yet.
#![cfg_attr(all(target_os = "none", target_arch = "mips"), feature(asm_experimental_arch))]

mod flash;
mod life;
mod packages;

#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod report;

pub use flash::RamFlash;
pub use life::live;
#[cfg(target_os = "none")]
pub use report::main;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_lives_as_it_must() {
        let mut flash = RamFlash::new();
        let mut block = lockgate::Block::new();
        let mut tried = 0;
        live(&mut flash, &mut block, &mut |strategy, what, kept| {
            tried += 1;
            assert!(kept, "{strategy}: {what}");
        });
        assert_eq!(tried, 30);
    }
}
