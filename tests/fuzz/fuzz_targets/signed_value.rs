#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dify_openapi_fuzz::signed_value(data));
