//! What links point to, by the prefix of their target.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::scan::is_language;

/// Prefixes of links that are not text, lower case and without the colon: files, categories, ...
///
/// Links to files, media and categories vanish with all they hold. Of links to other pages that are
/// no articles, such as users and portals, a text after `|` stays.
#[derive(Debug, Clone)]
pub(crate) struct Namespaces {
    targets: HashMap<String, Target, FxBuildHasher>,
}

impl Namespaces {
    /// Those of a dump's `<siteinfo>`, by number and name, and the English ones, which work everywhere.
    pub(crate) fn new(names: impl Iterator<Item = (i32, String)>) -> Namespaces {
        let mut targets: HashMap<String, Target, FxBuildHasher> = HashMap::default();
        targets.extend(OTHER_PREFIXES.iter().map(|name| ((*name).to_owned(), Target::Other)));
        targets.extend(HIDDEN_PREFIXES.iter().map(|name| ((*name).to_owned(), Target::Hidden)));
        for (number, name) in names {
            let name = normal_prefix(&name);
            let target = match number {
                0 => continue,
                -2 | 6 | 14 => Target::Hidden,
                _ => Target::Other,
            };
            if !name.is_empty() {
                targets.insert(name, target);
            }
        }
        Namespaces { targets }
    }

    pub(super) fn target(&self, prefix: &str) -> Target {
        match self.targets.get(&normal_prefix(prefix)) {
            Some(target) => *target,
            None if is_language(prefix.trim()) => Target::Other,
            None => Target::Text,
        }
    }
}

/// What a link points to, as far as it decides on what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// An article: its name is text.
    Text,
    /// Another page or language: shown under another text only.
    Other,
    /// A file or category: never shown.
    Hidden,
}

/// Files, media and categories, in English and as older pages of some languages have them: dumps list
/// a namespace's present name, but no aliases.
#[rustfmt::skip]
pub(super) const HIDDEN_PREFIXES: &[&str] = &[
    "media", "file", "image", "category", "afbeelding", "archivo", "bild", "bilde", "billede",
    "datei", "fichier", "ficheiro", "grafika", "imagem", "imagen", "immagine", "kategorie",
    "obrázek", "plik", "soubor", "изображение", "файл", "зображення", "תמונה", "صورة", "تصویر",
    "ファイル", "画像", "文件", "档案", "檔案", "图像", "圖像", "分类", "分類", "파일", "그림",
];

#[rustfmt::skip]
pub(super) const OTHER_PREFIXES: &[&str] = &[
    "special", "talk", "user", "user talk", "project", "project talk", "wikipedia",
    "wikipedia talk", "file talk", "image talk", "mediawiki", "mediawiki talk", "template",
    "template talk", "help", "help talk", "category talk", "portal", "portal talk", "draft",
    "draft talk", "timedtext", "timedtext talk", "module", "module talk",
];

pub(super) fn normal_prefix(name: &str) -> String {
    name.replace('_', " ").trim().to_lowercase()
}
