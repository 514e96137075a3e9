//! Writes model stages of random numbers below a directory, and their exports beside them as
//! `NAME.vectors`, to try them with other programs without training anything:
//! `random_model DIRECTORY`. See `tests/interop/fasttext.py`.

#[path = "../src/fixture.rs"]
#[expect(clippy::unwrap_used, reason = "a fixture")]
mod fixture;

use fixture::{Shape, WORDS, write_model};
use lexmill_embeddings::Format;
use lexmill_embeddings::export::{self, ExportSettings, VectorChoice};
use lexmill_store::{Progress, Resources, StageKey};
use lexmill_vocab::Subwords;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).expect("a directory as the only argument");
    let directory = std::path::Path::new(&directory);
    let subwords = Some(Subwords { minn: 2, maxn: 4, bucket: 3000 });
    let shape = |kind, subwords, hierarchical| Shape { kind, subwords, hierarchical, dim: 7 };
    let models = [
        ("skipgram", shape("skipgram", subwords, false)),
        ("cbow-hs", shape("cbow", subwords, true)),
        ("plain", shape("skipgram", None, false)),
    ];
    let formats = vec![
        Format::Parquet,
        Format::Word2vecText,
        Format::Word2vecBinary,
        Format::FasttextVec,
        Format::FasttextBin,
    ];
    let settings = ExportSettings { formats, vectors: VectorChoice::Auto };
    let resources = Resources::new(1, 1 << 30);
    for (name, shape) in models {
        let (model, output) = (directory.join(name), directory.join(format!("{name}.vectors")));
        write_model(&model, &WORDS, &shape);
        let key = StageKey {
            stage: export::KIND.to_owned(),
            version: export::VERSION,
            settings: serde_json::to_value(&settings)?,
            inputs: Default::default(),
        };
        export::run(&settings, &model, &output, key, &resources, &Progress::new())?;
    }
    Ok(())
}
