//! Corpora of every kind: packed, in any encoding, records, dumps, markup.
#![no_main]

use lexmill_tokenize::TokenizeSettings;
use lexmill_tokenize::preview::preview;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const FORMATS: [&str; 6] = ["text", "json", "csv", "tsv", "mediawiki", "parquet"];

fuzz_target!(init: lexmill_fuzz::begin(), |data: &[u8]| {
    let [kind, how, data @ ..] = data else { return };
    let path = lexmill_fuzz::file("corpus", data);
    let format = FORMATS[usize::from(*kind) % FORMATS.len()];
    let documents = ["lines", "blocks", "files", "sentences"][usize::from(how & 3)];
    let segmenter = ["unicode-words", "whitespace", "characters"][usize::from(how >> 2) % 3];
    let mut settings = json!({
        "input": [path],
        "format": format,
        "documents": documents,
        "segmenter": segmenter,
        "lowercase": how & 16 != 0,
    });
    if how & 32 != 0 {
        let encoding = ["windows-1252", "shift_jis", "utf-16le", "gb18030"][usize::from(how >> 6)];
        settings["encoding"] = json!(encoding);
    }
    if format != "text" && format != "mediawiki" {
        settings["field"] = json!("text");
    }
    if *kind & 64 != 0 {
        settings["clean"] = serde_json::json!(["html", "urls", "emails", "numbers", "control-characters", "repeated-lines"]);
    }
    let Ok(settings) = serde_json::from_value::<TokenizeSettings>(settings) else { return };
    let _documents = preview(&settings, 1 << 20, 1);
});
