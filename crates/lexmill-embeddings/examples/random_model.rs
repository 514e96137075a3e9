//! Writes model stages of random numbers below a directory, to try the exports with other programs
//! before anything is trained: `random_model DIRECTORY`. See `tests/interop/fasttext.py`.

#[path = "../src/fixture.rs"]
#[expect(clippy::unwrap_used, reason = "a fixture")]
mod fixture;

use fixture::{Shape, WORDS, write_model};
use lexmill_vocab::Subwords;

fn main() {
    let directory = std::env::args().nth(1).expect("a directory as the only argument");
    let directory = std::path::Path::new(&directory);
    let subwords = Some(Subwords { minn: 2, maxn: 4, bucket: 3000 });
    let shape = |kind, subwords, hierarchical| Shape { kind, subwords, hierarchical, dim: 7 };
    let models = [
        ("skipgram", shape("skipgram", subwords, false)),
        ("cbow-hs", shape("cbow", subwords, true)),
        ("plain", shape("skipgram", None, false)),
    ];
    for (name, shape) in models {
        write_model(&directory.join(name), &WORDS, &shape);
    }
}
