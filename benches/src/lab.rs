//! Where the measured program, the data and the working files are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::Places;
use crate::machine::root;

/// Test sets below the data folder: similarity, then analogies.
const SIMILARITY: [&str; 3] =
    ["eval/EN-WS-353-ALL.txt", "eval/EN-SIMLEX-999.txt", "eval/EN-MEN-TR-3k.txt"];
/// Further ones, which not every bar looks at.
const MORE_SIMILARITY: [&str; 3] =
    ["eval/EN-WS-353-SIM.txt", "eval/EN-WS-353-REL.txt", "eval/EN-RG-65.txt"];
const ANALOGIES: [&str; 1] = ["eval/questions-words.txt"];

/// A place to measure in.
#[derive(Debug)]
pub(crate) struct Lab {
    lexmill: PathBuf,
    work: PathBuf,
    data: Option<PathBuf>,
    runs: Option<u32>,
}

impl Lab {
    /// Finds the program and makes the working directory.
    pub(crate) fn open(places: &Places) -> Result<Lab> {
        let lexmill = match &places.lexmill {
            Some(path) => path.clone(),
            None => {
                let own = std::env::current_exe().context("can't find out where I am")?;
                own.with_file_name("lexmill")
            }
        };
        if !lexmill.is_file() {
            bail!(
                "there is no {}: build it with `cargo build --release`, or name one with --lexmill",
                lexmill.display()
            );
        }
        // Children run in other directories.
        let lexmill = std::path::absolute(&lexmill).context("no working directory")?;
        let work = std::path::absolute(&places.work).context("no working directory")?;
        std::fs::create_dir_all(&work).with_context(|| format!("can't make {}", work.display()))?;
        let from_environment =
            || std::env::var_os("LEXMILL_DATA").filter(|value| !value.is_empty());
        let data = places.data.clone().or_else(|| from_environment().map(PathBuf::from));
        let data = data.map(std::path::absolute).transpose().context("no working directory")?;
        Ok(Lab { lexmill, work, data, runs: places.runs })
    }

    /// The program that is measured.
    pub(crate) fn program(&self) -> &Path {
        &self.lexmill
    }

    /// How often to measure: as asked for, or as the bar would have it.
    pub(crate) fn runs(&self, usual: u32) -> u32 {
        self.runs.unwrap_or(usual)
    }

    /// A path below the working directory.
    pub(crate) fn work(&self, path: &str) -> PathBuf {
        self.work.join(path)
    }

    /// A directory below the working directory, emptied.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.work(name);
        remove(&path)?;
        std::fs::create_dir_all(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(path)
    }

    /// A file below the data folder.
    pub(crate) fn data(&self, name: &str) -> Result<PathBuf> {
        let Some(data) = &self.data else {
            bail!(
                "where is the data? set LEXMILL_DATA, or give --data, to a folder with {name} \
                 (see benches/README.md)"
            );
        };
        let path = data.join(name);
        if !path.is_file() {
            bail!("{} is missing (see benches/README.md)", path.display());
        }
        Ok(path)
    }

    /// The test sets as `--set` takes them.
    pub(crate) fn test_sets(&self) -> Result<[(&'static str, String); 2]> {
        let list = |names: &[&str]| -> Result<String> {
            let paths = names.iter().map(|name| self.data(name)).collect::<Result<Vec<_>>>()?;
            // JSON's lists of strings are TOML's.
            serde_json::to_string(&paths).context("a path of the data folder is not UTF-8")
        };
        Ok([
            ("stages.scores.similarity", list(&SIMILARITY)?),
            ("stages.scores.analogies", list(&ANALOGIES)?),
        ])
    }

    /// Paths of all English test sets: similarity, then analogies.
    pub(crate) fn every_test_set(&self) -> Result<(Vec<String>, Vec<String>)> {
        let path = |name: &&str| {
            let path = self.data(name)?.into_os_string().into_string();
            path.map_err(|path| anyhow!("the path {} is not UTF-8", path.display()))
        };
        let similarity = SIMILARITY.iter().chain(&MORE_SIMILARITY).map(path);
        Ok((similarity.collect::<Result<_>>()?, ANALOGIES.iter().map(path).collect::<Result<_>>()?))
    }

    /// A pipeline of this package.
    pub(crate) fn pipeline(&self, name: &str) -> PathBuf {
        root().join("benches/pipelines").join(name)
    }
}

/// Removes a directory if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
