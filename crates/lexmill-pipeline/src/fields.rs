//! The settings of each kind of stage, for help texts, flags and spelling hints.

use crate::kinds::Kind;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the pipeline file.
    pub name: &'static str,
    /// What it does, and its default.
    pub help: &'static str,
}

const fn field(name: &'static str, help: &'static str) -> Field {
    Field { name, help }
}

/// The settings of a kind of stage.
pub fn fields(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::Tokenize => TOKENIZE,
        Kind::Vocabulary => VOCABULARY,
        Kind::Count => COUNT,
        Kind::Glove => GLOVE,
        Kind::Export => EXPORT,
        Kind::Evaluate => EVALUATE,
    }
}

const TOKENIZE: &[Field] = &[
    field(
        "input",
        "Corpus files: paths, patterns (*, **, ?, [..]), ${NAME:-default}, - for standard input; plain, gzip or zstd",
    ),
    field("sentences", "Sentences in the file itself: lists of tokens, each a document"),
    field("documents", "What a document is: lines, blocks (between blank lines) or files [lines]"),
    field(
        "segmenter",
        "How text becomes words: unicode-words (UAX #29) or whitespace [unicode-words]",
    ),
    field("normalization", "Unicode normalization: nfc, nfkc or none [nfc]"),
    field("lowercase", "Lower-case the text [false]"),
    field("invalid_utf8", "Ill-formed UTF-8: replace (by U+FFFD, counted) or error [replace]"),
    field("max_word_bytes", "Longer words are dropped, and counted [1000]"),
    field("shard_bytes", "Text in a token shard [8MiB]"),
];

const VOCABULARY: &[Field] = &[
    field("min_count", "Leave out words that occur less often [5]"),
    field("max_words", "Keep at most this many words, the most frequent [all]"),
    field("reserved", "Words that get the first ids, however often they occur [none]"),
];

const COUNT: &[Field] = &[
    field("window", "The farthest a context word stands from the center word [10]"),
    field(
        "weighting",
        "Weight of a context at distance d: harmonic (1/d), flat (1) or linear ((w-d+1)/w) [harmonic]",
    ),
    field("contexts", "On which sides contexts are: symmetric, left or right [symmetric]"),
    field(
        "unknown",
        "Words outside the vocabulary: skip (windows reach over them) or gap (they keep their place) [skip]",
    ),
    field("blocks", "Blocks of rows and of columns of the grid [by the size of the vocabulary]"),
];

const GLOVE: &[Field] = &[
    field("dimensions", "Dimensions of the vectors [100]"),
    field("x_max", "The count from which on a cell weighs 1 [100]"),
    field("alpha", "The exponent of a smaller count's weight [0.75]"),
    field("learning_rate", "The initial learning rate of AdaGrad [0.05]"),
    field("epochs", "Passes over the counts [25]"),
    field("gradient_clip", "Cut a gradient's element to plus or minus this [100]"),
    field(
        "bias_step",
        "How biases step: \"2020\" (without the learning rate, as the reference program since then) or \"2014\" (with it) [\"2020\"]",
    ),
    field("seed", "Seed of initial parameters and order [the pipeline's, or 1]"),
];

const EXPORT: &[Field] = &[
    field(
        "formats",
        "Formats: parquet, word2vec-text, word2vec-binary, glove-text, fasttext-vec, fasttext-bin (the whole model, skipgram and cbow only) [parquet]",
    ),
    field(
        "vectors",
        "Which vectors: sum (W + C), word (W), context (C), concatenated, or auto (sum of glove, word of skipgram and cbow) [auto]",
    ),
];

const EVALUATE: &[Field] = &[
    field("similarity", "Files of word pairs with human scores"),
    field("analogies", "Files of analogy questions in sections"),
    field("lowercase", "Fold case, in the test sets and in the vocabulary [true]"),
    field(
        "restrict",
        "Also answer analogies among this many most frequent words; 0: only among all [30000]",
    ),
    field("bootstrap", "Draws behind the 95 % intervals; 0: none [1000]"),
    field("seed", "Seed of these draws [the pipeline's, or 1]"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{KINDS, Settings};

    #[test]
    fn the_help_knows_every_setting_and_no_other() {
        for kind in KINDS {
            let value = match kind.settings(toml::Table::new()).unwrap() {
                Settings::Tokenize(s) => serde_json::to_value(s),
                Settings::Vocabulary(s) => serde_json::to_value(s),
                Settings::Count(s) => serde_json::to_value(s),
                Settings::Glove(s) => serde_json::to_value(s),
                Settings::Export(s) => serde_json::to_value(s),
                Settings::Evaluate(s) => serde_json::to_value(s),
            };
            let mut known: Vec<String> =
                value.unwrap().as_object().unwrap().keys().cloned().collect();
            let mut helped: Vec<String> = fields(kind).iter().map(|f| f.name.to_owned()).collect();
            known.sort();
            helped.sort();
            assert_eq!(known, helped, "{}", kind.name());
        }
    }
}
