//! Test sets of every kind.
#![no_main]

use lexmill_eval::{Analogies, Categories, Outliers, WordPairs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lexmill_fuzz::begin(), |data: &[u8]| {
    let path = lexmill_fuzz::file("set.txt", data);
    let _pairs = WordPairs::read(&path);
    let _analogies = Analogies::read(&path);
    let _categories = Categories::read(&path);
    let _outliers = Outliers::read(&path);
});
