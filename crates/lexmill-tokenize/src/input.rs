//! Which files a corpus is, what is in them (by hash), and how they are grouped.
//!
//! Results depend on the content of files, not on their names or times. Hashing a large corpus takes
//! a second per few gigabytes, so hashes are remembered with each file's length and time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lexmill_store::{ByteSize, Progress, file_hash, file_hash_while, read_sealed, write_sealed};
use serde::{Deserialize, Serialize};

use crate::settings::{Format, TokenizeSettings};
use crate::{Error, Result};

/// A corpus file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorpusFile {
    /// Where it is; `-` is standard input.
    pub path: PathBuf,
    /// Its length as it lies on the disk.
    pub bytes: u64,
    /// When it was last written to: nanoseconds since 1970.
    pub modified_ns: u64,
    /// BLAKE3 of its content, hexadecimal.
    pub blake3: String,
    /// What it holds: never [`Format::Auto`].
    pub format: Format,
}

impl CorpusFile {
    /// Whether it is no longer the file that was hashed, by its length and time.
    pub(crate) fn changed(&self) -> bool {
        if self.path == Path::new("-") {
            return false;
        }
        let found = std::fs::metadata(&self.path);
        !found.is_ok_and(|now| now.len() == self.bytes && modified_ns(&now) == self.modified_ns)
    }
}

fn modified_ns(metadata: &std::fs::Metadata) -> u64 {
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

/// The files of a corpus, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corpus {
    /// By pattern, then by path.
    pub files: Vec<CorpusFile>,
    /// BLAKE3 of the files that settings name besides, by setting.
    pub models: BTreeMap<String, String>,
}

/// Consecutive files that share shards. Files as large as a shard stand alone; runs of small files
/// end where their content says so, so that a new file changes its own group and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) key: String,
    pub(crate) files: std::ops::Range<usize>,
}

impl Group {
    /// Its name for random numbers.
    pub(crate) fn number(&self) -> u64 {
        u64::from_str_radix(self.key.get(..16).unwrap_or_default(), 16).unwrap_or(0)
    }
}

/// Hashes that are remembered. Small files and those whose names are not UTF-8 are
/// hashed each time.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Remembered {
    files: BTreeMap<PathBuf, Known>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Clone)]
struct Known {
    bytes: u64,
    modified_ns: u64,
    blake3: String,
}

/// How often a file that is hashed is told of.
const TOLD: u64 = 1 << 30;
/// Smaller files are hashed about as soon as looked up, and there may be a million of them.
const SMALL: u64 = 16 << 10;
/// A file changed so recently may change again within its time stamp's resolution.
const FRESH: Duration = Duration::from_secs(2);

impl Corpus {
    /// Finds and hashes the files that the settings name, which count as progress. `cache` remembers
    /// hashes between calls.
    ///
    /// # Errors
    /// If a pattern matches nothing, or a file can't be read.
    pub fn scan(
        settings: &TokenizeSettings,
        cache: Option<&Path>,
        threads: usize,
        progress: &Progress,
    ) -> Result<Corpus> {
        let paths = expand(&settings.input)?;
        let Remembered { files: mut known } = cache.and_then(read_sealed).unwrap_or_default();
        progress.begin("files", paths.len() as u64);
        progress.tell("looking at the corpus".to_owned());
        let next = AtomicUsize::new(0);
        let found = Mutex::new(vec![None; paths.len()]);
        let hash = || -> Result<()> {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(i) else { return Ok(()) };
                let file = look_at(path, known.get(path), settings.format, Some(progress))?;
                found.lock().expect("no holder panics")[i] = Some(file);
                progress.advance(1);
                progress.go_on()?;
            }
        };
        std::thread::scope(|scope| -> Result<()> {
            let workers: Vec<_> =
                (0..threads.clamp(1, paths.len().max(1))).map(|_| scope.spawn(hash)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("does not panic"))
        })?;
        let mut files = Vec::with_capacity(paths.len());
        let mut changed = false;
        for (path, found) in paths.iter().zip(found.into_inner().expect("no holder panics")) {
            let (file, remember) = found.expect("every file was looked at");
            if let Some(entry) = remember
                && path.to_str().is_some()
                && known.get(path) != Some(&entry)
            {
                known.insert(path.clone(), entry);
                changed = true;
            }
            files.push(file);
        }
        if let Some(path) = cache.filter(|_| changed) {
            write_sealed(path, &Remembered { files: known })?;
        }
        let mut models = BTreeMap::new();
        for (setting, path) in
            [("tokenizer", &settings.tokenizer), ("user_dictionary", &settings.user_dictionary)]
        {
            if let Some(path) = path {
                models.insert(setting.to_owned(), file_hash(path)?);
            }
        }
        if let Some(directory) = &settings.dictionary {
            models.insert("dictionary".to_owned(), directory_hash(directory)?);
        }
        Ok(Corpus { files, models })
    }

    /// Finds the files without looking into them.
    ///
    /// # Errors
    /// If a pattern matches nothing.
    pub(crate) fn list(settings: &TokenizeSettings) -> Result<Corpus> {
        let files = expand(&settings.input)?;
        let files = files.iter().map(|path| Ok(look_at(path, None, settings.format, None)?.0));
        Ok(Corpus { files: files.collect::<Result<_>>()?, ..Corpus::default() })
    }

    /// Bytes on disk of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// One hash of the content of all files in order, and of how each is read.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.files)
    }

    /// Whether standard input is part of it, so that its content can't be known in advance.
    pub fn has_standard_input(&self) -> bool {
        self.files.iter().any(|file| file.path == Path::new("-"))
    }

    pub(crate) fn groups(&self, shard_bytes: u64) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut start = 0;
        let mut bytes = 0;
        for (i, file) in self.files.iter().enumerate() {
            bytes += file.bytes;
            let next_is_large = self.files.get(i + 1).is_none_or(|next| next.bytes >= shard_bytes);
            // Ends with a chance in proportion to the file's length, so that groups are about as
            // long as a shard; the dice are the file's own hash.
            let dice = u64::from_str_radix(file.blake3.get(..8).unwrap_or("0"), 16).unwrap_or(0);
            let ends = u128::from(dice) * u128::from(shard_bytes) < (u128::from(file.bytes) << 32);
            if next_is_large || ends || file.bytes >= shard_bytes || bytes >= 4 * shard_bytes {
                let mut key = fingerprint(&self.files[start..=i])[..16].to_owned();
                let times = seen.entry(key.clone()).or_default();
                if *times > 0 {
                    // The same files again: their shards are other shards.
                    key = format!("{key}-{times}");
                }
                *times += 1;
                groups.push(Group { key, files: start..i + 1 });
                start = i + 1;
                bytes = 0;
            }
        }
        groups
    }
}

fn fingerprint(files: &[CorpusFile]) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.blake3.as_bytes());
        if file.format != Format::Text {
            hasher.update(file.format.name().as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// One hash of the files of a dictionary, which may hold more besides.
fn directory_hash(directory: &Path) -> Result<String> {
    let mut paths = Vec::new();
    walk(directory, &mut paths)?;
    let mut hasher = blake3::Hasher::new();
    let of_dictionary = |path: &&PathBuf| {
        path.extension().is_some_and(|extension| extension == "csv" || extension == "def")
    };
    for path in paths.iter().filter(of_dictionary) {
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(file_hash(path)?.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// What a file holds.
pub(crate) fn format_of(path: &Path, said: Format) -> Format {
    if said == Format::Auto { format_by_name(path) } else { said }
}

/// What a file of this name holds, where nobody says.
fn format_by_name(path: &Path) -> Format {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let container = [".gz", ".zst", ".bz2", ".xz"].iter().find_map(|end| name.strip_suffix(end));
    match container.unwrap_or(&name).rsplit_once('.') {
        Some((_, "jsonl" | "ndjson" | "json")) => Format::JsonLines,
        Some((_, "csv")) => Format::Csv,
        Some((_, "tsv" | "tab")) => Format::Tsv,
        Some((_, "parquet")) => Format::Parquet,
        Some((_, "xml")) => Format::Mediawiki,
        _ => Format::Text,
    }
}

/// Hashes a file unless work is to stop; of a large one it is told how much is done.
fn hash_of(path: &Path, bytes: u64, progress: &Progress) -> Result<String> {
    let mut done = 0;
    let hash = file_hash_while(path, |read| {
        let before = done / TOLD;
        done += read;
        if done / TOLD > before {
            let (done, bytes) = (ByteSize(done), ByteSize(bytes));
            progress.tell(format!("{done} of {bytes} of {}", path.display()));
        }
        progress.go_on()
    });
    Ok(hash?)
}

/// What is at a path; without `progress` it is not hashed.
fn look_at(
    path: &Path,
    known: Option<&Known>,
    format: Format,
    progress: Option<&Progress>,
) -> Result<(CorpusFile, Option<Known>)> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let format = format_of(path, format);
    if path == Path::new("-") {
        if format == Format::Parquet {
            let problem =
                "can't be Parquet, which is not read from its start to its end; name a file";
            return Err(Error::Format { path: path.to_owned(), problem: problem.to_owned() });
        }
        let (path, blake3) = (path.to_owned(), "-".to_owned());
        let file = CorpusFile { path, bytes: 0, modified_ns: 0, blake3, format };
        return Ok((file, None));
    }
    let metadata = std::fs::metadata(path).map_err(read)?;
    if !metadata.is_file() {
        let problem = "is not a file but a pipe or a device; pipe it into standard input and name \
                       \"-\" instead"
            .to_owned();
        return Err(Error::Format { path: path.to_owned(), problem });
    }
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    let modified_ns = modified_ns(&metadata);
    let bytes = metadata.len();
    let hash = match known {
        Some(known) if known.bytes == bytes && known.modified_ns == modified_ns => {
            known.blake3.clone()
        }
        _ => match progress {
            None => String::new(),
            Some(progress) => hash_of(path, bytes, progress)?,
        },
    };
    let old_enough = SystemTime::now().duration_since(modified).is_ok_and(|age| age > FRESH);
    let worth = old_enough && bytes >= SMALL;
    let remember = worth.then(|| Known { bytes, modified_ns, blake3: hash.clone() });
    let path = path.to_owned();
    Ok((CorpusFile { path, bytes, modified_ns, blake3: hash, format }, remember))
}

/// The files that patterns name: by pattern, then by path, each once.
fn expand(patterns: &[String]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut seen = BTreeSet::new();
    for pattern in patterns {
        for path in files_of(pattern, true)? {
            if seen.insert(path.clone()) {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// The files that one pattern names, in order.
fn files_of(pattern: &str, may_be_list: bool) -> Result<Vec<PathBuf>> {
    let expanded = expand_variables(pattern)
        .map_err(|problem| Error::Pattern { pattern: pattern.to_owned(), problem })?;
    if let Some(list) = expanded.strip_prefix('@').filter(|_| may_be_list) {
        let path = PathBuf::from(list);
        let read = |source| Error::Read { path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(read)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut files = Vec::new();
        for line in lines {
            // What a list names stands as seen from where the program runs, as in the pipeline file.
            files.extend(files_of(line, false)?);
        }
        return Ok(files);
    }
    let mut matched = Vec::new();
    let path = Path::new(&expanded);
    if path.is_dir() {
        walk(path, &mut matched)?;
    } else if pattern == "-" || !expanded.contains(['*', '?', '[']) || path.exists() {
        matched.push(path.to_owned());
    } else {
        let found = glob::glob(&expanded)
            .map_err(|e| Error::Pattern { pattern: pattern.to_owned(), problem: e.to_string() })?;
        for path in found {
            let path =
                path.map_err(|e| Error::Read { path: e.path().to_owned(), source: e.into() })?;
            if !path.is_dir() {
                matched.push(path);
            }
        }
        matched.sort();
    }
    if matched.is_empty() {
        let directory = std::env::current_dir().unwrap_or_default();
        return Err(Error::NoFiles { pattern: pattern.to_owned(), directory });
    }
    Ok(matched)
}

/// All files below a directory, by path, but for hidden ones. Links to directories are not followed.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let read = |source| Error::Read { path: directory.to_owned(), source };
    let entries = std::fs::read_dir(directory).map_err(read)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(read)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().map_err(read)?.is_dir() {
            walk(&path, files)?;
        } else if !path.is_dir() {
            files.push(path);
        }
    }
    Ok(())
}

/// `~` at the start, `${NAME}` and `${NAME:-default}` anywhere (the default may start with `~`).
fn expand_variables(pattern: &str) -> Result<String, String> {
    let home = |text: &str| -> Result<String, String> {
        match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                let home = std::env::var("HOME").map_err(|_| "HOME is not set".to_owned())?;
                Ok(home + rest)
            }
            _ => Ok(text.to_owned()),
        }
    };
    let mut expanded = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        let (inside, after) = after.split_once('}').ok_or("a \"${\" has no \"}\"")?;
        expanded += before;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        expanded += &match (std::env::var(name), default) {
            (Ok(value), _) if !value.is_empty() => value,
            (_, Some(default)) => home(default)?,
            _ => return Err(format!("the environment variable {name} is not set")),
        };
        rest = after;
    }
    expanded += rest;
    home(&expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(sizes: &[(u64, u64)]) -> Corpus {
        let files = sizes
            .iter()
            .map(|&(name, bytes)| CorpusFile {
                path: PathBuf::from(name.to_string()),
                bytes,
                modified_ns: 0,
                blake3: blake3::hash(&name.to_le_bytes()).to_hex().to_string(),
                format: Format::Text,
            })
            .collect();
        Corpus { files, ..Corpus::default() }
    }

    #[test]
    fn a_new_file_changes_only_its_own_group() {
        let mut sizes: Vec<(u64, u64)> = (0..400).map(|name| (name, 100)).collect();
        let before = corpus(&sizes).groups(1000);
        assert!((20..80).contains(&before.len()), "{}", before.len());
        sizes.insert(200, (9999, 100));
        let after = corpus(&sizes).groups(1000);
        let keys: BTreeSet<&str> = before.iter().map(|g| g.key.as_str()).collect();
        let new = after.iter().filter(|g| !keys.contains(g.key.as_str())).count();
        assert!((1..=2).contains(&new), "{new} groups are new");
        let covered: usize = after.iter().map(|g| g.files.len()).sum();
        assert_eq!(covered, 401);
    }

    #[test]
    fn large_files_stand_alone_and_the_same_file_twice_is_two_groups() {
        let groups = corpus(&[(1, 10), (2, 5000), (2, 5000), (3, 10)]).groups(1000);
        assert_eq!(
            groups.iter().map(|g| g.files.clone()).collect::<Vec<_>>(),
            [0..1, 1..2, 2..3, 3..4]
        );
        assert_ne!(groups[1].key, groups[2].key);
        assert!(groups[2].key.starts_with(&groups[1].key));
    }

    #[test]
    fn variables_and_home() {
        let home = std::env::var("HOME").unwrap();
        assert_eq!(expand_variables("~/x").unwrap(), format!("{home}/x"));
        assert_eq!(expand_variables("a~/x").unwrap(), "a~/x");
        assert_eq!(
            expand_variables("${LEXMILL_NO_SUCH:-~/.cargo}/r").unwrap(),
            format!("{home}/.cargo/r")
        );
        assert_eq!(expand_variables("${HOME}/r").unwrap(), format!("{home}/r"));
        assert!(expand_variables("${LEXMILL_NO_SUCH}").unwrap_err().contains("LEXMILL_NO_SUCH"));
        assert!(expand_variables("${oops").is_err());
    }

    #[test]
    fn directories_and_lists() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir_all(path("b/c")).unwrap();
        for name in ["b/z.txt", "b/c/a.jsonl.gz", "b/.hidden", "list"] {
            std::fs::write(path(name), "").unwrap();
        }
        let all = expand(&[directory.path().to_string_lossy().into_owned()]).unwrap();
        assert_eq!(all, [path("b/c/a.jsonl.gz"), path("b/z.txt"), path("list")]);
        let lines = format!("{}\n\n  {}/*.txt\n", path("list").display(), path("b").display());
        std::fs::write(path("list"), lines).unwrap();
        let listed = expand(&[format!("@{}", path("list").display())]).unwrap();
        assert_eq!(listed, [path("list"), path("b/z.txt")]);
        assert_eq!(format_by_name(&path("b/c/a.jsonl.gz")), Format::JsonLines);
        assert_eq!(format_by_name(Path::new("x-pages-articles.XML.bz2")), Format::Mediawiki);
        assert_eq!(format_by_name(Path::new("csv")), Format::Text);
    }

    #[test]
    fn how_a_file_is_read_is_part_of_its_fingerprint() {
        let mut corpus = corpus(&[(1, 10)]);
        let as_text = corpus.fingerprint();
        corpus.files[0].format = Format::JsonLines;
        assert_ne!(corpus.fingerprint(), as_text);
    }

    #[test]
    fn hashes_are_remembered_but_a_touched_file_is_looked_at_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        let cache = directory.path().join("cache.json");
        std::fs::write(&path, "one ".repeat(SMALL as usize)).unwrap();
        let old = SystemTime::now() - Duration::from_secs(100);
        let set_time = |time| {
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap()
        };
        set_time(old);
        let pattern = directory.path().join("*.txt").to_string_lossy().into_owned();
        let settings = TokenizeSettings { input: vec![pattern], ..TokenizeSettings::default() };
        let first = Corpus::scan(&settings, Some(&cache), 2, &Progress::new()).unwrap();
        assert!(cache.exists());
        // Same length, same time: believed. Another time: read again.
        std::fs::write(&path, "two ".repeat(SMALL as usize)).unwrap();
        set_time(old);
        assert_eq!(Corpus::scan(&settings, Some(&cache), 2, &Progress::new()).unwrap(), first);
        set_time(old + Duration::from_secs(5));
        assert_ne!(
            Corpus::scan(&settings, Some(&cache), 2, &Progress::new()).unwrap().fingerprint(),
            first.fingerprint()
        );
        let missing = TokenizeSettings { input: vec!["/no/such/*.txt".into()], ..settings };
        assert!(
            Corpus::scan(&missing, None, 1, &Progress::new())
                .unwrap_err()
                .to_string()
                .contains("/no/such/*.txt")
        );
    }
}
