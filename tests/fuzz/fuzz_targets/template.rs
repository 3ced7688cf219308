#![no_main]

use std::alloc::System;

/// More than the limit of a rendering and the fuzzer itself need; an allocation beyond it ends the fuzzer.
const LIMIT: usize = 512 << 20;

#[global_allocator]
static ALLOCATOR: cap::Cap<System> = cap::Cap::new(System, LIMIT);

libfuzzer_sys::fuzz_target!(|data: &[u8]| dify_openapi_fuzz::template(data));
