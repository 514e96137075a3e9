//! A pipeline definition file, and every mistake in it with its place.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};
use crate::fields::fields;
use crate::kinds::{KINDS, Kind, Settings};

/// A pipeline without mistakes.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its name: that of the run directory.
    pub name: String,
    /// Words whose neighbours are shown when a run has made embeddings.
    pub neighbors: Vec<String>,
    /// Its stages, each after those it reads from.
    pub stages: Vec<Stage>,
    /// Texts and the tokens they must become.
    pub tests: Vec<Test>,
}

/// A text and the tokens that a `tokenize` stage must make of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The stage.
    pub stage: String,
    /// The text, as that of one record or file.
    pub text: String,
    /// What it must become, document by document.
    pub documents: Vec<Vec<String>>,
}

/// A test as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTest {
    /// May be left out where there is one `tokenize` stage.
    stage: Option<String>,
    text: String,
    /// Of a text that is one document.
    tokens: Option<Vec<String>>,
    /// Of others.
    documents: Option<Vec<Vec<String>>>,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name: that of its directory.
    pub id: String,
    /// Its kind.
    pub kind: Kind,
    /// The stages it reads from, in the order of [`Kind::inputs`].
    pub inputs: Vec<String>,
    /// Its settings.
    pub settings: Settings,
}

/// A mistake in a definition file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the file; `None` for a `--set`.
    pub span: Option<Range<usize>>,
    /// What to do.
    pub help: Option<String>,
}

/// Where something stands in the file; `None` for what a `--set` put there.
type Place = Option<Range<usize>>;

impl Problem {
    fn at(place: &Place, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), span: place.clone(), help: None }
    }

    fn help(mut self, help: Option<String>) -> Problem {
        self.help = help;
        self
    }
}

/// Shows each problem in its line.
pub fn render_problems(file: &str, text: &str, problems: &[Problem]) -> String {
    let mut out = String::new();
    for problem in problems {
        // Writing to a string can't fail.
        let _infallible = match &problem.span {
            None => writeln!(out, "--set: {}", problem.message),
            Some(span) => {
                let start = span.start.min(text.len());
                let before = text.get(..start).unwrap_or(text);
                let number = before.matches('\n').count() + 1;
                let line_start = before.rfind('\n').map_or(0, |place| place + 1);
                let line = text.get(line_start..).and_then(|t| t.lines().next()).unwrap_or("");
                let column = before.get(line_start..).map_or(0, |b| b.chars().count());
                let width = text
                    .get(start..span.end.min(text.len()))
                    .and_then(|marked| marked.lines().next())
                    .map_or(1, |marked| marked.chars().count().max(1));
                let gutter = number.to_string();
                let pad = " ".repeat(gutter.len());
                writeln!(
                    out,
                    "{file}:{number}:{}: {}\n{pad} |\n{gutter} | {line}\n{pad} | {}{}",
                    column + 1,
                    problem.message,
                    " ".repeat(column),
                    "^".repeat(width),
                )
            }
        };
        if let Some(help) = &problem.help {
            let _infallible = writeln!(out, "  help: {help}");
        }
    }
    match problems.len() {
        0 => {}
        1 => out.push_str("1 problem"),
        n => {
            let _infallible = write!(out, "{n} problems");
        }
    }
    out
}

/// The nearest of some names, if one is near.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, other)| *distance <= 1 + other.len() / 4)
        .min()
        .map(|(_, other)| other)
}

fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean {near:?}?"))
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// A stage as written, not yet checked against the others.
struct Draft {
    id: String,
    kind: Kind,
    inputs: Vec<(&'static str, String, Place)>,
    settings: Settings,
}

impl Definition {
    /// Reads and checks a definition file; `overrides` are `key=value`, as `--set` takes them.
    ///
    /// # Errors
    /// [`Error::Definition`] with every mistake in its line.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Definition> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        Definition::parse(&text, &stem, overrides).map_err(|problems| {
            Error::Definition(render_problems(&path.to_string_lossy(), &text, &problems))
        })
    }

    /// Checks the text of a definition file. A file without a name is called `default_name`.
    ///
    /// # Errors
    /// Every mistake found.
    pub fn parse(
        text: &str,
        default_name: &str,
        overrides: &[String],
    ) -> Result<Definition, Vec<Problem>> {
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let place = Some(error.span().unwrap_or(0..0));
                return Err(vec![Problem::at(&place, error.message())]);
            }
        };
        let mut problems = Vec::new();
        let mut places: Places = BTreeMap::new();
        let mut root = flatten(&table, &mut places);
        let mut set = Vec::new();
        for text in overrides {
            match apply(&mut root, text) {
                Ok(path) => set.push(path),
                Err(message) => problems.push(Problem::at(&None, message)),
            }
        }
        let definition = check(root, &places, &set, default_name, &mut problems);
        match definition {
            Some(definition) if problems.is_empty() => Ok(definition),
            _ => Err(problems),
        }
    }
}

/// Where each value stands in the file, by its path.
type Places = BTreeMap<Vec<String>, Range<usize>>;

/// A spanned table to a plain one and the places of its values.
fn flatten(table: &Spanned<DeTable<'_>>, places: &mut Places) -> toml::Table {
    fn value(
        value: &Spanned<DeValue<'_>>,
        path: &mut Vec<String>,
        places: &mut Places,
    ) -> toml::Value {
        match value.get_ref() {
            DeValue::Table(table) => toml::Value::Table(walk(table, path, places)),
            DeValue::Array(items) => toml::Value::Array(items.iter().map(value_of).collect()),
            _ => value_of(value),
        }
    }
    fn value_of(value: &Spanned<DeValue<'_>>) -> toml::Value {
        match value.get_ref() {
            DeValue::String(text) => toml::Value::String(text.to_string()),
            DeValue::Integer(number) => {
                let digits: String = number.as_str().chars().filter(|c| *c != '_').collect();
                match i64::from_str_radix(&digits, number.radix()) {
                    Ok(number) => toml::Value::Integer(number),
                    Err(_) => toml::Value::String(format!("{digits} (too large)")),
                }
            }
            DeValue::Float(number) => {
                let digits: String = number.as_str().chars().filter(|c| *c != '_').collect();
                toml::Value::Float(digits.parse().unwrap_or(f64::NAN))
            }
            DeValue::Boolean(truth) => toml::Value::Boolean(*truth),
            DeValue::Datetime(time) => toml::Value::Datetime(*time),
            DeValue::Array(items) => toml::Value::Array(items.iter().map(value_of).collect()),
            DeValue::Table(table) => {
                toml::Value::Table(walk(table, &mut Vec::new(), &mut BTreeMap::new()))
            }
        }
    }
    fn walk(table: &DeTable<'_>, path: &mut Vec<String>, places: &mut Places) -> toml::Table {
        let mut plain = toml::Table::new();
        for (key, entry) in table {
            let name = key.get_ref().to_string();
            path.push(name.clone());
            // A table is pointed at by its key, a value by itself.
            let span = match entry.get_ref() {
                DeValue::Table(_) => key.span(),
                _ => key.span().start..entry.span().end,
            };
            places.insert(path.clone(), span);
            plain.insert(name, value(entry, path, places));
            path.pop();
        }
        plain
    }
    walk(table.get_ref(), &mut Vec::new(), places)
}

/// Applies a `key.of.field=value`; returns the path of the key.
fn apply(root: &mut toml::Table, set: &str) -> Result<Vec<String>, String> {
    let (key, text) = set
        .split_once('=')
        .ok_or_else(|| format!("{set:?} is not key=value, such as stages.glove.dimensions=100"))?;
    let path: Vec<&str> = key.trim().split('.').collect();
    let (last, parents) = path.split_last().ok_or_else(|| format!("{set:?} names no key"))?;
    let mut table = root;
    for (i, parent) in parents.iter().enumerate() {
        let known: Vec<String> = table.keys().cloned().collect();
        let entry = table.get_mut(*parent).and_then(toml::Value::as_table_mut);
        table = entry.ok_or_else(|| {
            let place = parents[..i].join(".");
            let place = if place.is_empty() { String::new() } else { format!(" in {place:?}") };
            let hint = nearest(parent, known.iter().map(String::as_str));
            let hint = hint.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            format!("{set:?}: there is no {parent:?}{place}{hint}")
        })?;
    }
    table.insert((*last).to_owned(), read_value(text));
    Ok(path.into_iter().map(str::to_owned).collect())
}

/// A value as TOML has it, or else a string as it stands.
pub fn read_value(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {text}"));
    match parsed.ok().and_then(|mut table| table.remove("value")) {
        Some(value) => value,
        None => toml::Value::String(text.to_owned()),
    }
}

fn check(
    mut root: toml::Table,
    places: &Places,
    set: &[Vec<String>],
    default_name: &str,
    problems: &mut Vec<Problem>,
) -> Option<Definition> {
    let place = |path: &[&str]| -> Place {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        match set.iter().any(|set| path.starts_with(set)) {
            true => None,
            // What is not there is missed where the table begins that it belongs to.
            false => {
                let mut upwards = (1..=path.len()).rev();
                let nearest = upwards.find_map(|parts| places.get(&path[..parts]));
                Some(nearest.cloned().unwrap_or(0..0))
            }
        }
    };
    let known = ["name", "seed", "neighbors", "stages", "test"];
    for key in root.keys().filter(|key| !known.contains(&key.as_str())) {
        let problem = Problem::at(&place(&[key]), format!("unknown field {key:?}"));
        let hint = did_you_mean(key, known).or_else(|| {
            Some(format!("a pipeline has {}; settings belong to a stage", list(known)))
        });
        problems.push(problem.help(hint));
    }
    let name = match root.remove("name") {
        None => default_name.to_owned(),
        Some(toml::Value::String(name)) => name,
        Some(_) => {
            problems.push(Problem::at(&place(&["name"]), "the name must be a string"));
            default_name.to_owned()
        }
    };
    if !is_name(&name) {
        problems.push(
            Problem::at(&place(&["name"]), format!("{name:?} can't name a directory"))
                .help(Some("use letters, digits, '-', '_' and '.'".to_owned())),
        );
    }
    let seed = match root.remove("seed") {
        None => None,
        Some(toml::Value::Integer(seed)) if seed >= 0 => Some(seed),
        Some(_) => {
            problems
                .push(Problem::at(&place(&["seed"]), "the seed must be a whole number, 0 or more"));
            None
        }
    };
    let neighbors = match root.remove("neighbors").map(toml::Value::try_into::<Vec<String>>) {
        None => Vec::new(),
        Some(Ok(words)) => words,
        Some(Err(_)) => {
            let message = "neighbors must be a list of words";
            problems.push(Problem::at(&place(&["neighbors"]), message));
            Vec::new()
        }
    };
    let written = match root.remove("test").map(toml::Value::try_into::<Vec<WrittenTest>>) {
        None => Vec::new(),
        Some(Ok(written)) => written,
        Some(Err(error)) => {
            let message = error.message().trim().lines().next().unwrap_or("").to_owned();
            let hint =
                "a [[test]] has text, and tokens or documents, and a stage where there are several";
            problems.push(
                Problem::at(&place(&["test"]), format!("test: {message}"))
                    .help(Some(hint.to_owned())),
            );
            Vec::new()
        }
    };
    let stages = match root.remove("stages") {
        Some(toml::Value::Table(stages)) if !stages.is_empty() => stages,
        _ => {
            problems.push(
                Problem::at(&place(&["stages"]), "the pipeline has no stages")
                    .help(Some("write [stages.NAME] with a kind".to_owned())),
            );
            return None;
        }
    };
    let mut drafts = Vec::new();
    let mut kinds: BTreeMap<String, Option<Kind>> = BTreeMap::new();
    for (id, value) in stages {
        let span = place(&["stages", &id]);
        if !is_name(&id) {
            problems.push(
                Problem::at(&span, format!("{id:?} can't name a directory"))
                    .help(Some("use letters, digits, '-', '_' and '.'".to_owned())),
            );
        }
        let toml::Value::Table(fields) = value else {
            problems.push(Problem::at(&span, format!("stage {id:?} must be a table")));
            continue;
        };
        let draft = draft(&id, fields, seed, &place, problems);
        kinds.insert(id, draft.as_ref().map(|draft| draft.kind));
        drafts.extend(draft);
    }
    let mut stages = Vec::new();
    for draft in drafts {
        let mut inputs = Vec::new();
        for (field, input, span) in draft.inputs {
            let accepted = draft.kind.inputs().iter().find(|(name, _)| *name == field);
            let accepted = accepted.map_or(&[][..], |(_, kinds)| kinds);
            match kinds.get(&input) {
                None => {
                    let fit = kinds
                        .iter()
                        .filter(|(_, kind)| kind.is_some_and(|kind| accepted.contains(&kind)));
                    let fit: Vec<&str> = fit.map(|(id, _)| id.as_str()).collect();
                    let hint =
                        did_you_mean(&input, kinds.keys().map(String::as_str)).or_else(|| {
                            (!fit.is_empty()).then(|| format!("stages that fit: {}", list(fit)))
                        });
                    problems.push(
                        Problem::at(&span, format!("there is no stage {input:?}")).help(hint),
                    );
                }
                Some(Some(kind)) if !accepted.contains(kind) => {
                    let wanted: Vec<&str> = accepted.iter().map(|kind| kind.name()).collect();
                    let wanted = wanted.join(" or ");
                    problems.push(Problem::at(
                        &span,
                        format!(
                            "{field} takes a {wanted} stage, but {input:?} is a {} stage",
                            kind.name()
                        ),
                    ));
                }
                Some(_) => inputs.push(input),
            }
        }
        stages.push(Stage { id: draft.id, kind: draft.kind, inputs, settings: draft.settings });
    }
    stages.sort_by_key(|stage| stage.kind);
    let stages = match in_order(stages) {
        Ok(stages) => stages,
        Err(circle) => {
            for id in &circle {
                let message = format!("stage {id:?} reads, by way of others or not, from itself");
                let place = place(&["stages", id]);
                let hint = Some("the first of them reads from a tokenize stage".to_owned());
                problems.push(Problem::at(&place, message).help(hint));
            }
            return None;
        }
    };
    let tests = tests(written, &stages, &place(&["test"]), problems);
    Some(Definition { name, neighbors, stages, tests })
}

/// Tests with their stages.
fn tests(
    written: Vec<WrittenTest>,
    stages: &[Stage],
    place: &Place,
    problems: &mut Vec<Problem>,
) -> Vec<Test> {
    let tokenize = stages.iter().filter(|stage| stage.kind == Kind::Tokenize);
    let known: Vec<&str> = tokenize.map(|stage| stage.id.as_str()).collect();
    let mut tests = Vec::new();
    for (i, test) in written.into_iter().enumerate() {
        let number = i + 1;
        let stage = match (test.stage, known.as_slice()) {
            (Some(stage), known) if known.contains(&stage.as_str()) => Ok(stage),
            (None, [only]) => Ok((*only).to_owned()),
            (Some(stage), _) => Err(format!("test {number}: {stage:?} is no tokenize stage")),
            (None, _) => Err(format!("test {number} must name its stage: there is not just one")),
        };
        let documents = match (test.tokens, test.documents) {
            (Some(tokens), None) => Ok(vec![tokens]),
            (None, Some(documents)) => Ok(documents),
            _ => Err(format!("test {number} must have either tokens or documents")),
        };
        match (stage, documents) {
            (Ok(stage), Ok(documents)) => tests.push(Test { stage, text: test.text, documents }),
            (stage, documents) => {
                let hint = format!("tokenize stages: {}", list(known.iter().copied()));
                for message in stage.err().into_iter().chain(documents.err()) {
                    problems.push(Problem::at(place, message).help(Some(hint.clone())));
                }
            }
        }
    }
    tests
}

/// Puts every stage after its inputs, otherwise in the given order: other kinds come in the order of
/// [`KINDS`] anyway, but `deduplicate` and `phrases` read from both kinds as well. The error names the stages that
/// read from each other in a circle.
fn in_order(mut waiting: Vec<Stage>) -> Result<Vec<Stage>, Vec<String>> {
    let mut stages: Vec<Stage> = Vec::new();
    while !waiting.is_empty() {
        let unmet = |stage: &Stage| {
            stage.inputs.iter().any(|input| waiting.iter().any(|other| other.id == *input))
        };
        match waiting.iter().position(|stage| !unmet(stage)) {
            Some(next) => stages.push(waiting.remove(next)),
            None => {
                let input = |id: &str| -> Option<&str> {
                    let stage = waiting.iter().find(|stage| stage.id == id)?;
                    stage.inputs.first().map(String::as_str)
                };
                let ids = waiting.iter().map(|stage| stage.id.as_str());
                let round = |id: &&str| {
                    let chain = std::iter::successors(input(id), |id| input(id));
                    chain.take(waiting.len()).any(|before| before == *id)
                };
                return Err(ids.filter(round).map(str::to_owned).collect());
            }
        }
    }
    Ok(stages)
}

fn draft(
    id: &str,
    mut table: toml::Table,
    seed: Option<i64>,
    place: &dyn Fn(&[&str]) -> Place,
    problems: &mut Vec<Problem>,
) -> Option<Draft> {
    let span = place(&["stages", id]);
    let known_kinds = || list(KINDS.map(Kind::name));
    let kind = match table.remove("kind") {
        Some(toml::Value::String(name)) => match Kind::named(&name) {
            Some(kind) => kind,
            None => {
                let hint = did_you_mean(&name, KINDS.map(Kind::name))
                    .or_else(|| Some(format!("kinds are {}", known_kinds())));
                let span = place(&["stages", id, "kind"]);
                problems.push(Problem::at(&span, format!("unknown kind {name:?}")).help(hint));
                return None;
            }
        },
        _ => {
            problems.push(
                Problem::at(&span, format!("stage {id:?} has no kind"))
                    .help(Some(format!("kinds are {}", known_kinds()))),
            );
            return None;
        }
    };
    let mut inputs = Vec::new();
    for &(field, _) in kind.inputs() {
        let span = place(&["stages", id, field]);
        match table.remove(field) {
            Some(toml::Value::String(input)) => inputs.push((field, input, span)),
            Some(_) => problems.push(Problem::at(&span, format!("{field} must name a stage"))),
            None => problems.push(
                Problem::at(&place(&["stages", id]), format!("stage {id:?} lacks {field}"))
                    .help(Some(format!("write {field} = \"NAME\" with the name of a stage"))),
            ),
        }
    }
    if let (Some(seed), true) = (seed, kind.takes_seed()) {
        table.entry("seed").or_insert(toml::Value::Integer(seed));
    }
    let settings = settings(kind, table, |field| place(&["stages", id, field]), problems)?;
    Some(Draft { id: id.to_owned(), kind, inputs, settings })
}

/// Settings out of a table of fields, each mistake at its field.
pub(crate) fn settings(
    kind: Kind,
    mut table: toml::Table,
    place: impl Fn(&str) -> Place,
    problems: &mut Vec<Problem>,
) -> Option<Settings> {
    let before = problems.len();
    let known = || fields(kind).iter().map(|field| field.name);
    let mut unknown = Vec::new();
    for (field, value) in &table {
        let span = place(field);
        if !known().any(|name| name == field) {
            let inputs = kind.inputs().iter().map(|(name, _)| *name);
            let hint = did_you_mean(field, known().chain(inputs))
                .or_else(|| Some(format!("a {} stage has {}", kind.name(), list(known()))));
            let message = format!("unknown field {field:?}");
            problems.push(Problem::at(&span, message).help(hint));
            unknown.push(field.clone());
            continue;
        }
        // One field at a time, so that a mistake is shown at its own.
        let alone = toml::Table::from_iter([(field.clone(), value.clone())]);
        if let Err(error) = kind.settings(alone) {
            let message = error.message().trim().lines().next().unwrap_or("").to_owned();
            problems.push(Problem::at(&span, format!("{field}: {message}")));
        }
    }
    // Without those that are unknown, the others can be looked at together.
    if problems.len() > before + unknown.len() {
        return None;
    }
    unknown.iter().for_each(|field| _ = table.remove(field));
    match kind.settings(table) {
        Err(error) => {
            problems.push(Problem::at(&Some(0..0), error.message()));
            None
        }
        Ok(settings) => {
            for (field, message) in settings.problems() {
                problems.push(Problem::at(&place(field), format!("{field} {message}")));
            }
            unknown.is_empty().then_some(settings)
        }
    }
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(fine)
        && !name.ends_with(".partial")
        && !name.ends_with(".old")
}

#[cfg(test)]
mod tests;
