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
        Kind::Deduplicate => DEDUPLICATE,
        Kind::Phrases => PHRASES,
        Kind::Vocabulary => VOCABULARY,
        Kind::Count => COUNT,
        Kind::Glove => GLOVE,
        Kind::Skipgram => SKIPGRAM,
        Kind::Cbow => CBOW,
        Kind::Export => EXPORT,
        Kind::Evaluate => EVALUATE,
    }
}

const TOKENIZE: &[Field] = &[
    field(
        "input",
        "Corpus files: paths, patterns (*, **, ?, [..]), directories, @LIST of such, ${NAME:-default}, - for standard input; plain, gzip, zstd, bzip2 or xz",
    ),
    field("sentences", "Sentences in the file itself: lists of tokens, each a document"),
    field(
        "format",
        "What the files hold: text, json-lines, csv, tsv, parquet or mediawiki [auto: by the file's name]",
    ),
    field(
        "field",
        "Where the text of a record is: a column, or the path of a JSON field (body.text); a list of strings is tokens [text]",
    ),
    field("metadata", "Fields of records to keep beside their tokens [none]"),
    field(
        "filter",
        "Take records of which this holds, such as \"lang == en\", \"score >= 0.5\" [all]",
    ),
    field("sample", "The share of records or documents to take, drawn at random [1]"),
    field("seed", "Seed of that draw [the pipeline's, or 1]"),
    field("bad_records", "Records that can't be read: error or skip (and count) [error]"),
    field(
        "encoding",
        "Encoding of the text: utf-8, utf-16le, latin1, gb18030, big5, shift_jis, ... [utf-8]",
    ),
    field(
        "documents",
        "What a document is: lines, blocks (between blank lines), sentences (of lines), files or records [lines; of formats with records: records]",
    ),
    field(
        "clean",
        "Steps of cleaning, in order: strip-html, urls, emails, numbers (to <url>, <email>, <number>), controls, repeated-lines [none]",
    ),
    field(
        "segmenter",
        "How text becomes words: unicode-words (UAX #29), whitespace, auto (by script), chinese (jieba), mecab, icu, characters, pattern or tokenizer [unicode-words]",
    ),
    field("pattern", "Of the segmenter pattern: what is a word, a regular expression"),
    field("tokenizer", "Of the segmenter tokenizer: a tokenizer.json of Hugging Face"),
    field(
        "dictionary",
        "Of the segmenters mecab and auto (for Japanese): the directory of a dictionary of MeCab, such as /usr/share/mecab/dic/ipadic",
    ),
    field("user_dictionary", "More Chinese words, one a line: WORD [COUNT [TAG]]"),
    field("normalization", "Unicode normalization: nfc, nfkc or none [nfc]"),
    field("lowercase", "Lower-case the text [false]"),
    field("lowercase_locale", "The language whose rules lower-casing follows, such as tr [none]"),
    field("invalid_utf8", "Ill-formed UTF-8: replace (by U+FFFD, counted) or error [replace]"),
    field("max_word_bytes", "Longer words are dropped, and counted [1000]"),
    field("shard_bytes", "Text in a token shard [8MiB]"),
];

const DEDUPLICATE: &[Field] = &[
    field(
        "method",
        "When a document counts as one that was there before: exact (the same tokens) or minhash (nearly the same shingles) [exact]",
    ),
    field("shingle", "Of minhash: tokens in a row that make a shingle [5]"),
    field("permutations", "Of minhash: hash functions, so numbers of a signature [128]"),
    field(
        "threshold",
        "Of minhash: drop documents at least this similar (Jaccard) to an earlier one that is kept [0.8]",
    ),
    field("min_tokens", "Documents of fewer tokens are kept in any case [0]"),
];

const PHRASES: &[Field] = &[
    field(
        "score",
        "How strongly two words belong together: word2phrase, gensim, npmi or log-likelihood [word2phrase]",
    ),
    field(
        "threshold",
        "Join pairs that score more [word2phrase: 100, gensim: 10, npmi: 0.5, log-likelihood: 1000]",
    ),
    field("min_count", "Words and pairs that occur less often are no candidates [5]"),
    field("delimiter", "What stands between the words of a phrase [_]"),
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
    SCORE_SIMILARITY,
    SCORE_ANALOGIES,
    SCORE_EVERY,
    PATIENCE,
];

const SCORE_SIMILARITY: Field = field(
    "score_similarity",
    "Files of word pairs with human scores, to score epochs on as evaluate does [none]",
);
const SCORE_ANALOGIES: Field = field(
    "score_analogies",
    "Analogies to score epochs on, among the 30000 most frequent words: files, or the directory of BATS [none]",
);
const SCORE_EVERY: Field =
    field("score_every", "Score after every so many epochs, and after the last [1]");
const PATIENCE: Field = field(
    "patience",
    "Stop when the mean score has not improved for this many scorings in a row, and keep the best epoch's model; 0: train all epochs, and keep the last [0]",
);

const SKIPGRAM: &[Field] = WORD2VEC;

const CBOW: &[Field] = &and::<28>(&[
    field(
        "cbow_gradient",
        "What each word of a window gets: mikolov (the whole gradient of the mean, as word2vec, gensim and fastText) or mean (its n-th part, the true gradient) [mikolov]",
    ),
    field("cbow_mean", "The input is the mean of the window; false: the sum [true]"),
]);

/// The settings of both word2vec models, then some more.
const fn and<const ALL: usize>(more: &[Field]) -> [Field; ALL] {
    assert!(ALL == WORD2VEC.len() + more.len());
    let mut all = [WORD2VEC[0]; ALL];
    let mut i = 0;
    while i < ALL {
        all[i] = if i < WORD2VEC.len() { WORD2VEC[i] } else { more[i - WORD2VEC.len()] };
        i += 1;
    }
    all
}

const WORD2VEC: &[Field] = &[
    field(
        "preset",
        "Whose defaults and quirks: lexmill, word2vec-c, gensim or fasttext; other fields win over it [lexmill]",
    ),
    field("dimensions", "Dimensions of the vectors [100]"),
    field("window", "The farthest a context word stands from the center word [5]"),
    field("shrink_windows", "Each center draws its own window from 1 to window [true]"),
    field("loss", "Output layer: ns (negative sampling) or hs (hierarchical softmax) [ns]"),
    field("negatives", "Negatives of an example [5]"),
    field(
        "noise_exponent",
        "Negatives are drawn by counts to this power [0.75; fasttext, subwords: 0.5]",
    ),
    field(
        "sample",
        "Subsampling threshold t: a word of frequency f stays with probability sqrt(t/f) + t/f; 0: all stay [0.0001; word2vec-c, gensim: 0.001]",
    ),
    field(
        "learning_rate",
        "The learning rate at the start [skip-gram 0.025, CBOW 0.05 (mean: 0.2); gensim: 0.025; fasttext: 0.05]",
    ),
    field(
        "min_learning_rate",
        "The learning rate at the end, to which it falls in a line [learning_rate / 10000; gensim: 0.0001; fasttext: 0]",
    ),
    field("epochs", "Passes over the tokens [5]"),
    field("seed", "Seed of everything random [the pipeline's, or 1]"),
    field("subwords", "Make words of their character n-grams, too [false; fasttext: true]"),
    field("minn", "Characters of the shortest n-gram [3]"),
    field("maxn", "Characters of the longest n-gram [6]"),
    field("bucket", "Buckets that n-grams are hashed to [2000000]"),
    field(
        "initial_range",
        "Input numbers start uniform in plus or minus this over dimensions [1; word2vec-c: 0.5]",
    ),
    field(
        "sigmoid",
        "Scores beyond the programs' tables: exact, word2vec-c, gensim or fasttext [the preset's; exact]",
    ),
    field(
        "initial_vectors",
        "Start from a model's stage directory, or a file of embeddings [random]",
    ),
    field("blocks", "Blocks of the grid, a power of two [by the size of the vocabulary]"),
    field("portion_tokens", "Tokens that are cut into examples at a time [by window and loss]"),
    field(
        "batch_windows",
        "Windows trained between two looks at input rows: CBOW [512], subwords [1024]",
    ),
    SCORE_SIMILARITY,
    SCORE_ANALOGIES,
    SCORE_EVERY,
    PATIENCE,
];

const EXPORT: &[Field] = &[
    field(
        "formats",
        "Formats: parquet, arrow, word2vec-text, word2vec-binary, glove-text, fasttext-vec, fasttext-bin (the whole model, skipgram and cbow only), safetensors, npy, finalfusion, tsv [parquet]",
    ),
    field(
        "vectors",
        "Which vectors: sum (W + C), word (W), context (C), concatenated, or auto (sum of glove, word of skipgram and cbow) [auto]",
    ),
];

const EVALUATE: &[Field] = &[
    field("similarity", "Files of word pairs with human scores"),
    field(
        "analogies",
        "Files of analogy questions (Google's form; MSR's questions with the answers beside them), the directory of BATS",
    ),
    field("categorization", "Files of words with their categories (AP, BLESS, Battig, ESSLLI)"),
    field(
        "outliers",
        "Files of topics (words, a blank line, words that don't belong), or directories of such (8-8-8)",
    ),
    field("classification", "Files of labelled texts: JSON lines, CSV, TSV, Parquet"),
    field(
        "baseline",
        "Embeddings to compare with, item by item: a file in any format, an export, a trained model [none]",
    ),
    field("lowercase", "Fold case, in the test sets and in the vocabulary [true]"),
    field("analogy_method", "How analogies are answered: 3cosadd or 3cosmul [3cosadd]"),
    field(
        "restrict",
        "Also answer analogies among this many most frequent words; 0: only among all [30000]",
    ),
    field("text_field", "Of labelled texts: the field of the text, or its path in JSON [text]"),
    field("label_field", "Of labelled texts: the field of the label [label]"),
    field("folds", "Of labelled texts: parts of cross-validation [5]"),
    field("l2", "Of labelled texts: strength of the classifier's L2 regularization, 1/C [1]"),
    field("bootstrap", "Draws behind the 95 % intervals; 0: none [1000]"),
    field(
        "seed",
        "Seed of these draws, of the starts of k-means and of the folds [the pipeline's, or 1]",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{KINDS, Settings};

    #[test]
    fn the_help_knows_every_setting_and_no_other() {
        // Settings that are written out only where they are given.
        let given =
            "score_similarity = ['a']\nscore_analogies = ['b']\nscore_every = 2\npatience = 1";
        for kind in KINDS {
            let trainer = matches!(kind, Kind::Glove | Kind::Skipgram | Kind::Cbow);
            let table = if trainer { toml::from_str(given).unwrap() } else { toml::Table::new() };
            let value = match kind.settings(table).unwrap() {
                Settings::Tokenize(s) => serde_json::to_value(s),
                Settings::Deduplicate(s) => serde_json::to_value(s),
                Settings::Phrases(s) => serde_json::to_value(s),
                Settings::Vocabulary(s) => serde_json::to_value(s),
                Settings::Count(s) => serde_json::to_value(s),
                Settings::Glove(s) => serde_json::to_value(s),
                Settings::Skipgram(s) => serde_json::to_value(s),
                Settings::Cbow(s) => serde_json::to_value(s),
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
