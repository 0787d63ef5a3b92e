//! Feeds the fuzzer's bytes to [`nephos_fuzz::aws`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::aws::check(data));
