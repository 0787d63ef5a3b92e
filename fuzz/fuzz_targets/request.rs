//! Feeds the fuzzer's bytes to [`nephos_fuzz::request`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::request::check(data));
