//! The file formats of embeddings, and how a file's name says which it is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A file format for embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// A Parquet table.
    Parquet,
    /// An Arrow IPC file (Feather V2).
    Arrow,
    /// Text with a header, as word2vec writes it.
    Word2vecText,
    /// Binary, as word2vec writes it.
    Word2vecBinary,
    /// Text without a header, as GloVe writes it.
    GloveText,
    /// Text with a header, as fastText writes it.
    FasttextVec,
    /// A complete model, as fastText writes it.
    FasttextBin,
    /// A safetensors file, and a file of words beside it.
    Safetensors,
    /// A NumPy array, and a file of words beside it.
    Npy,
    /// A finalfusion file.
    Finalfusion,
    /// Values between tabs, and a file of words beside it: what the TensorBoard projector loads.
    Tsv,
}

/// All of them.
pub const FORMATS: [Format; 11] = [
    Format::Parquet,
    Format::Arrow,
    Format::Word2vecText,
    Format::Word2vecBinary,
    Format::GloveText,
    Format::FasttextVec,
    Format::FasttextBin,
    Format::Safetensors,
    Format::Npy,
    Format::Finalfusion,
    Format::Tsv,
];

impl Format {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
            Format::Word2vecText => "word2vec-text",
            Format::Word2vecBinary => "word2vec-binary",
            Format::GloveText => "glove-text",
            Format::FasttextVec => "fasttext-vec",
            Format::FasttextBin => "fasttext-bin",
            Format::Safetensors => "safetensors",
            Format::Npy => "npy",
            Format::Finalfusion => "finalfusion",
            Format::Tsv => "tsv",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Format> {
        FORMATS.into_iter().find(|format| format.name() == name)
    }

    /// The file that the export stage writes.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Parquet => "embeddings.parquet",
            Format::Arrow => "embeddings.arrow",
            Format::Word2vecText => "embeddings.word2vec.txt",
            Format::Word2vecBinary => "embeddings.word2vec.bin",
            Format::GloveText => "embeddings.glove.txt",
            Format::FasttextVec => "embeddings.vec",
            Format::FasttextBin => "embeddings.fasttext.bin",
            Format::Safetensors => "embeddings.safetensors",
            Format::Npy => "embeddings.npy",
            Format::Finalfusion => "embeddings.fifu",
            Format::Tsv => "embeddings.tsv",
        }
    }

    /// What a file's name says it is to be:
    ///
    /// | end of the name | format |
    /// | --- | --- |
    /// | `.parquet`; `.arrow`, `.feather`, `.ipc` | Parquet; Arrow IPC |
    /// | `.txt` | GloVe's text if `glove` stands before it, else word2vec's |
    /// | `.vec` | fastText's text |
    /// | `.bin` | a fastText model if `fasttext` or `ft` stands before it, else word2vec's binary |
    /// | `.safetensors`, `.npy`, `.fifu`, `.tsv` | these |
    ///
    /// A `.gz` or `.zst` after that is a compressed file ([`Packing`]).
    ///
    /// # Errors
    /// If it ends in nothing of that.
    pub fn of_name(path: &Path) -> Result<Format> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
        let says = |word: &str| stem.split(['.', '_', '-']).any(|part| part == word);
        Ok(match end {
            "parquet" | "pq" => Format::Parquet,
            "arrow" | "feather" | "ipc" => Format::Arrow,
            "txt" if says("glove") => Format::GloveText,
            "txt" | "w2v" => Format::Word2vecText,
            "vec" => Format::FasttextVec,
            "bin" if says("fasttext") || says("ft") => Format::FasttextBin,
            "bin" => Format::Word2vecBinary,
            "safetensors" => Format::Safetensors,
            "npy" => Format::Npy,
            "fifu" => Format::Finalfusion,
            "tsv" => Format::Tsv,
            _ => return Err(Error::UnknownFormat { path: path.to_owned() }),
        })
    }

    /// Whether a file may be compressed as a whole: its readers unpack it, or take any stream.
    pub(crate) fn may_be_packed(self) -> bool {
        use Format::{FasttextVec, GloveText, Word2vecBinary, Word2vecText};
        matches!(self, Word2vecText | Word2vecBinary | GloveText | FasttextVec)
    }

    /// Whether it can hold values of this precision.
    pub(crate) fn carries(self, precision: Precision) -> bool {
        let many =
            matches!(self, Format::Parquet | Format::Arrow | Format::Safetensors | Format::Npy);
        many || precision == Precision::F32
    }

    /// Whether it says how many rows there are before the first of them.
    pub(crate) fn begins_with_rows(self) -> bool {
        !matches!(self, Format::Parquet | Format::Arrow | Format::GloveText | Format::Tsv)
    }

    /// Whether all words stand before the first vector.
    pub(crate) fn begins_with_words(self) -> bool {
        matches!(self, Format::FasttextBin | Format::Finalfusion)
    }
}

/// How numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: the bits of the model.
    #[default]
    F32,
    /// 16-bit floats (IEEE 754 binary16), rounded to nearest: a relative error of at most 2⁻¹¹ above
    /// 6.1e-5, an absolute one of at most 3e-8 below. Values beyond ±65504 are an error.
    F16,
    /// 8-bit whole numbers and a scale for each vector: the value is number × scale, and
    /// scale = max |value| / 127, so the error is at most scale / 2.
    Int8,
}

impl Precision {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
            Precision::Int8 => "int8",
        }
    }
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// It is not.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Packing {
    /// What the end of a name says.
    pub fn of_name(path: &Path) -> Packing {
        match path.extension().and_then(|end| end.to_str()) {
            Some(end) if end.eq_ignore_ascii_case("gz") => Packing::Gzip,
            Some(end) if end.eq_ignore_ascii_case("zst") => Packing::Zstd,
            _ => Packing::None,
        }
    }
}

/// The file beside `path` whose name goes on with `end`: `a/b.npy` and `words.txt` make
/// `a/b.npy.words.txt`, so that no two files share one.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

/// What the name of the file of words beside a file in `format` goes on with.
pub(crate) fn words_end(format: Format) -> &'static str {
    match format {
        Format::Tsv => "metadata.tsv",
        _ => "words.txt",
    }
}

/// What the name of the file of scales beside a NumPy array of [`Precision::Int8`] goes on with.
pub(crate) const SCALES_END: &str = "scales.npy";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_format() {
        for (name, format) in [
            ("a.parquet", Format::Parquet),
            ("a.feather", Format::Arrow),
            ("a.txt", Format::Word2vecText),
            ("my.glove.txt.gz", Format::GloveText),
            ("glove.6B.50d.txt", Format::GloveText),
            ("gloves.txt", Format::Word2vecText),
            ("A.VEC", Format::FasttextVec),
            ("a.bin.zst", Format::Word2vecBinary),
            ("a.ft.bin", Format::FasttextBin),
            ("a.fasttext.bin", Format::FasttextBin),
            ("a.safetensors", Format::Safetensors),
            ("a.npy", Format::Npy),
            ("a.fifu", Format::Finalfusion),
            ("a.tsv", Format::Tsv),
        ] {
            assert_eq!(Format::of_name(Path::new(name)).unwrap(), format, "{name}");
        }
        let error = Format::of_name(Path::new("x/a.gz")).unwrap_err().to_string();
        assert!(error.contains("a.gz") && error.contains("word2vec-text"), "{error}");
        for format in FORMATS {
            assert_eq!(Format::named(format.name()), Some(format));
            assert_eq!(Format::of_name(Path::new(format.file_name())).unwrap(), format);
            assert_eq!(serde_json::to_value(format).unwrap(), format.name());
        }
    }
}
