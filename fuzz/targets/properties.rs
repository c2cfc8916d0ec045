//! Configuration files as operators write them.
#![no_main]

use belfry_host::config::{Entry, ParseError, parse_properties, parse_toml};
use libfuzzer_sys::fuzz_target;

const FILE: &str = "fuzz.file";

fuzz_target!(|bytes: &[u8]| {
    judge(bytes, parse_properties(bytes, FILE));
    judge(bytes, parse_toml(bytes, FILE));
});

/// Places are said to operators, who look there: they lie in the file.
fn judge(bytes: &[u8], read: Result<Vec<Entry>, ParseError>) {
    let lines = bytes
        .iter()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count()
        + 1;
    let is_there = |line: usize| (1..=lines).contains(&line);
    match read {
        Ok(entries) => {
            for entry in entries {
                assert!(is_there(entry.place.line()), "{entry:?} of {lines} lines");
            }
        }
        Err(error) => assert!(is_there(error.place.line()), "{error:?} of {lines} lines"),
    }
}
