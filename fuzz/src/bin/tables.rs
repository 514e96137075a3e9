//! Every table that stages read.
#![no_main]

use lexmill_store::table::TableReader;
use lexmill_store::table::counts::CountsReader;
use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_store::table::vocabulary::{WordsReader, read_vocabulary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lexmill_fuzz::begin(), |data: &[u8]| {
    let path = lexmill_fuzz::file("table.parquet", data);
    let _shard = read_token_shard(&path, |word| word.len() as u32, &mut Tokens::default());
    let _vocabulary = read_vocabulary(&path);
    let _words = WordsReader::open(&path).map(|words| words.for_each(|_, _| ()));
    if let Ok(counts) = CountsReader::open(&path, 1 << 10) {
        counts.take_while(Result::is_ok).for_each(drop);
    }
    if let Ok(table) = TableReader::open(&path, None, 1 << 10) {
        for batch in table.take_while(Result::is_ok).flatten() {
            for name in ["vector", "context_vector", "own_vector"] {
                let _vectors = batch.numbers(name);
            }
            let _bucket = batch.u32("bucket");
        }
    }
});
