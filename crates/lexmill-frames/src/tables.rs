//! Tables: one Parquet file, or the files of a folder that belong together.

use std::path::{Path, PathBuf};

use crate::counts::Counts;
use crate::manifest::Stage;
use crate::parquet_file::ParquetFile;
use crate::report::{Section, Table, Value};
use crate::words::{has_words, hint, rows_of};
use crate::{Error, Options, Result};

/// Files with one schema.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Group {
    /// The tables of a stage in the manifest's order, and its other files with their lengths.
    pub(crate) fn all(stage: &Stage) -> (Vec<Group>, Vec<(String, u64)>) {
        let mut groups: Vec<Group> = Vec::new();
        let mut others = Vec::new();
        for file in &stage.files {
            if !file.path.ends_with(".parquet") {
                others.push((file.path.clone(), file.bytes));
                continue;
            }
            let name = file.table();
            let known = groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
                groups.push(Group { name: name.to_owned(), paths: Vec::new(), rows: 0, bytes: 0 });
                groups.len() - 1
            });
            let group = &mut groups[known];
            group.paths.push(stage.directory.join(&file.path));
            group.rows += file.rows;
            group.bytes += file.bytes;
        }
        (groups, others)
    }

    /// The Parquet files below a folder that is not a stage, as one table.
    pub(crate) fn below(folder: &Path) -> Result<Option<Group>> {
        let mut paths = Vec::new();
        collect(folder, &mut paths)?;
        paths.sort();
        let mut group = Group { name: "files".to_owned(), paths, rows: 0, bytes: 0 };
        for path in &group.paths {
            let file = ParquetFile::open(path)?;
            group.rows += file.rows();
            group.bytes += file.bytes();
        }
        Ok((!group.paths.is_empty()).then_some(group))
    }

    /// What the table has: its extent, its columns, its first rows.
    pub(crate) fn sections(&self, counts: Option<&Counts>, rows: usize) -> Result<Vec<Section>> {
        let extent = [
            ("files", Value::Count(self.paths.len() as u64)),
            ("rows", Value::Count(self.rows)),
            ("bytes", Value::Bytes(self.bytes)),
        ];
        let mut sections = vec![Section::pairs(self.name.clone(), extent)];
        let Some(path) = self.paths.first() else { return Ok(sections) };
        let first = ParquetFile::open(path)?;
        let title = format!("{}: columns", self.name);
        sections.push(Section::table(title, columns(&first, self.paths.len() == 1)));
        let title = format!("{}: first rows", self.name);
        sections.push(Section::table(title, first_rows(&self.paths, counts, rows)?));
        Ok(sections)
    }
}

/// Parquet files below a folder, those being written left out.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let (path, name) = (entry.path(), entry.file_name());
        let hidden = name.to_string_lossy().starts_with('.');
        let kind = entry.file_type().map_err(Error::io("read", &path))?;
        if kind.is_dir() && !hidden {
            collect(&path, paths)?;
        } else if !hidden && path.extension().is_some_and(|extension| extension == "parquet") {
            paths.push(path);
        }
    }
    Ok(())
}

/// What there is to see about one file.
pub(crate) fn file_sections(
    file: &ParquetFile,
    counts: Option<&Counts>,
    rows: usize,
) -> Result<Vec<Section>> {
    let mut facts = vec![
        ("rows", Value::Count(file.rows())),
        ("bytes", Value::Bytes(file.bytes())),
        ("row groups", Value::Count(file.row_groups().len() as u64)),
    ];
    // A file without rows has nothing that is compressed.
    if file.rows() > 0 {
        facts.push(("compression", Value::text(file.compression())));
    }
    if let Some(writer) = file.created_by() {
        facts.push(("written by", Value::text(writer)));
    }
    let mut sections = vec![Section::pairs("File", facts)];
    if let Some(serde_json::Value::Object(own)) = file.own_metadata()
        && !own.is_empty()
    {
        let pairs = own.into_iter().map(|(name, value)| (name, Value::Json(value)));
        sections.push(Section::pairs("Metadata", pairs));
    }
    sections.push(Section::table("Columns", columns(file, true)));
    let paths = [file.path().to_owned()];
    sections.push(Section::table("First rows", first_rows(&paths, counts, rows)?));
    Ok(sections)
}

fn columns(file: &ParquetFile, with_bytes: bool) -> Table {
    let mut table = Table::new(&["column", "type"]);
    if with_bytes {
        table.columns.push("bytes".to_owned());
    }
    for column in file.columns() {
        let note = if column.readable { "" } else { " (not shown)" };
        let kind = format!("{}{note}", column.kind);
        let mut row = vec![Value::text(column.name), Value::text(kind)];
        if with_bytes {
            row.push(Value::Bytes(column.bytes));
        }
        table.rows.push(row);
    }
    table
}

/// The first rows of the files together; of counts, with the words behind the ids.
fn first_rows(paths: &[PathBuf], counts: Option<&Counts>, limit: usize) -> Result<Table> {
    let mut table = Table::default();
    let mut cells = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let file = ParquetFile::open(path)?;
        let left = limit.saturating_sub(table.rows.len() + cells.len()) as u64;
        match counts {
            Some(_) if Counts::are_cells(&file) => cells.extend(Counts::first(&file, left)?),
            _ => {
                if index == 0 {
                    names = readable(&file);
                    table.columns.clone_from(&names);
                }
                let columns: Vec<&str> = names.iter().map(String::as_str).collect();
                table.rows.extend(file.values(&columns, 0..file.rows().min(left))?);
            }
        }
        if table.rows.len() + cells.len() >= limit {
            break;
        }
    }
    match counts {
        Some(counts) if !cells.is_empty() => counts.with_words(&cells),
        _ => Ok(table),
    }
}

fn readable(file: &ParquetFile) -> Vec<String> {
    let columns = file.columns().into_iter().filter(|column| column.readable);
    columns.map(|column| column.name).collect()
}

/// The rows of a word in the tables that are about words.
///
/// # Errors
/// If there is no such table, or none has the word.
pub(crate) fn word_sections(
    path: &Path,
    groups: &[Group],
    word: &str,
    options: &Options,
) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    let mut searched = None;
    for group in groups {
        let mut table = Table::default();
        let mut names: Vec<String> = Vec::new();
        for (index, path) in group.paths.iter().enumerate() {
            let file = ParquetFile::open(path)?;
            if !has_words(&file) {
                break;
            }
            if index == 0 {
                names = readable(&file);
                table.columns.clone_from(&names);
            }
            let columns: Vec<&str> = names.iter().map(String::as_str).collect();
            let left = options.rows.saturating_sub(table.rows.len());
            for row in rows_of(&file, word, left)? {
                table.rows.extend(file.values(&columns, row..row + 1)?);
            }
            searched.get_or_insert(file);
            if table.rows.len() >= options.rows {
                break;
            }
        }
        if !table.rows.is_empty() {
            sections.push(Section::table(format!("{}: rows of {word:?}", group.name), table));
        }
    }
    match searched {
        None => Err(Error::NoWords { path: path.to_owned() }),
        Some(file) if sections.is_empty() && options.rows > 0 => Err(Error::UnknownWord {
            word: word.to_owned(),
            path: path.to_owned(),
            hint: hint(&file, word)?,
        }),
        Some(_) => Ok(sections),
    }
}
