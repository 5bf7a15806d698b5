#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headwater_tests::fuzzing::signalling::session_feedback(data));
