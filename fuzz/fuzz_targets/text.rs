//! The front end for text on arbitrary bytes: lexer, parser, layout, resolver. Nothing runs.
//!
//! ```sh
//! cargo +nightly fuzz run text fuzz/corpus/text dsl-examples tests/errors/text
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavefold_text::{Options, format, parse};

fuzz_target!(|source: &str| {
    if let Ok(once) = format(source) {
        assert_eq!(format(&once).expect("it was laid out"), once);
        assert_eq!(parse(source).is_ok(), parse(&once).is_ok());
    }
    if let Ok(program) = parse(source) {
        let _ = program.check(&Options { folder: "/nonexistent".into(), ..Options::default() });
    }
});
