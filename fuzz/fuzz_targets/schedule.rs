//! Feeds the fuzzer's bytes to [`nephos_fuzz::schedule`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::schedule::check(data));
