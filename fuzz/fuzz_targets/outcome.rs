//! Feeds the fuzzer's bytes to [`nephos_fuzz::outcome`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::outcome::check(data));
