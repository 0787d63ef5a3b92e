//! Feeds the fuzzer's bytes to [`nephos_fuzz::wire`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::wire::check(data));
