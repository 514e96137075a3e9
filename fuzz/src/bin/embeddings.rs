//! Embeddings in every format, told by their content.
#![no_main]

use lexmill_embeddings::{Embeddings, SubwordVectors};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: lexmill_fuzz::begin(), |data: &[u8]| {
    let path = lexmill_fuzz::file("embeddings", data);
    // Arrays have their words beside them.
    lexmill_fuzz::file("embeddings.words.txt", b"a\nb\nc\n");
    if let Ok(found) = Embeddings::read(&path) {
        assert!(found.vectors().iter().all(|x| x.is_finite()));
    }
    if let Ok(Some(vectors)) = SubwordVectors::open(&path) {
        let _unseen = vectors.vector("unseen");
    }
});
