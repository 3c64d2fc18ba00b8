#![no_main]
libfuzzer_sys::fuzz_target!(|body: &[u8]| lockgate_fuzz::manifest(body));
