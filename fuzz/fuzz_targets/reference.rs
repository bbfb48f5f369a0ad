//! `reference` of `tests/replay/targets.rs`, under libFuzzer.
#![no_main]
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target may stop where it stands")]

#[path = "../../tests/replay/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::reference(data));
