//! Feeds the fuzzer's bytes to [`nephos_fuzz::gcp`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nephos_fuzz::gcp::check(data));
