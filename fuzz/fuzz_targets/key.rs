//! Feeds the fuzzer's bytes to [`nephos_fuzz::key`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::key::check(data));
