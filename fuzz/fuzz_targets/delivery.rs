//! Feeds the fuzzer's bytes to [`nephos_fuzz::delivery`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::delivery::check(data));
