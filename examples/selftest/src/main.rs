//! The self-test as a program. Xtensa has none: there the library is assembled and linked by GNU's tools (`run.sh`).

#![no_std]
#![no_main]

#[cfg(target_arch = "arm")]
#[cortex_m_rt::entry]
fn main() -> ! {
    selftest::main()
}

/// What the start-up code calls.
#[cfg(not(target_arch = "arm"))]
#[no_mangle]
extern "C" fn main() -> ! {
    selftest::main()
}
