//! Feeds the fuzzer's bytes to [`nephos_fuzz::azure`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::azure::check(data));
