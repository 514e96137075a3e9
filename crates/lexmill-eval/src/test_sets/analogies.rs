//! Analogies in three forms.
//!
//! | form | how it is known | what it holds |
//! | --- | --- | --- |
//! | Google (Mikolov et al. 2013) | any other file | lines `a b c d`: a is to b as c is to d; `: name` begins a section |
//! | MSR (Mikolov, Yih and Zweig 2013) | a file `*questions*` with a file `*answers*` beside it | lines `a b c`, and in the other file, line by line, `TAG d` |
//! | BATS (Gladkova, Drozd and Matsuoka 2016) | a directory | `.txt` files in folders, lines `word answer/answer/...` |
//!
//! A section belongs to a *group*, for which there is a score as well: Google's sections to `syntactic` if
//! their name begins with `gram`, else to `semantic`; MSR's to `adjectives`, `nouns` or `verbs` by their tag;
//! BATS's files to `inflectional`, `derivational`, `encyclopedic` or `lexicographic` by their folder.
//!
//! In BATS every ordered pair of lines of a file is a question: `a` and the first answer of its line, then
//! the other line's word. Any answer listed there counts as right. MSR's set with four columns reads as Google's.

use std::path::{Path, PathBuf};

use super::{for_each_line, stem};
use crate::inputs::text_files;
use crate::{Error, LineProblem, Result};

/// A question: a is to b as c is to what?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// a, b and c.
    pub given: [String; 3],
    /// The answers that count as right; at least one.
    pub answers: Vec<String>,
}

/// A section of a set of analogies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// Its name; empty for questions before the first section line.
    pub name: String,
    /// What it belongs to, with other sections; empty for nothing.
    pub group: String,
    /// Its questions.
    pub questions: Vec<Question>,
}

/// A set of analogies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Analogies {
    /// The sections in the order of the file; none is empty.
    pub sections: Vec<Section>,
}

/// Questions of a set: BATS has 98,000. A hundred thousand lines in its form would ask ten thousand million.
const MOST_QUESTIONS: usize = 1 << 20;

/// Groups in the order in which they are shown; others come after them.
const GROUPS: [&str; 6] =
    ["semantic", "syntactic", "inflectional", "derivational", "encyclopedic", "lexicographic"];

impl Analogies {
    /// Reads a set of analogies: a file in the form of Google's `questions-words.txt`, MSR's file of questions
    /// with the answers beside it, or the directory of BATS.
    ///
    /// # Errors
    /// If it can't be read, a line is wrong, there is no question, or more than 2²⁰.
    pub fn read(path: &Path) -> Result<Analogies> {
        let mut sections = if path.is_dir() {
            bats(path)?
        } else if let Some(answers) = answers_beside(path) {
            msr(path, &answers)?
        } else {
            google(path)?
        };
        sections.retain(|section| !section.questions.is_empty());
        if sections.is_empty() {
            let wanted = match path.is_dir() {
                true => "analogies (.txt files with lines of a word and its answers)",
                false => "analogies (lines of four words)",
            };
            return Err(Error::Empty { path: path.to_owned(), wanted });
        }
        Ok(Analogies { sections })
    }

    /// All questions in order.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.sections.iter().flat_map(|section| &section.questions)
    }

    /// The groups of sections, in the order to show them in.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for section in &self.sections {
            let group = section.group.as_str();
            if !group.is_empty() && !groups.contains(&group) {
                groups.push(group);
            }
        }
        let place = |group: &str| GROUPS.iter().position(|known| *known == group);
        groups.sort_by_key(|group| place(group).unwrap_or(GROUPS.len()));
        groups
    }
}

fn google(path: &Path) -> Result<Vec<Section>> {
    let mut sections = vec![Section { group: google_group("").to_owned(), ..Section::default() }];
    let mut count = 0;
    for_each_line(path, |line| {
        if let Some(name) = line.strip_prefix(':') {
            let name = name.trim().to_owned();
            let group = google_group(&name).to_owned();
            sections.push(Section { name, group, questions: Vec::new() });
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[a, b, c, d] = words.as_slice() else {
            return Err(LineProblem::QuestionFields { found: words.len() });
        };
        one_more(&mut count)?;
        let section = sections.last_mut().expect("one from the start");
        let question =
            Question { given: [a, b, c].map(str::to_owned), answers: vec![d.to_owned()] };
        section.questions.push(question);
        Ok(())
    })?;
    Ok(sections)
}

fn google_group(name: &str) -> &'static str {
    if name.starts_with("gram") { "syntactic" } else { "semantic" }
}

fn one_more(count: &mut usize) -> Result<(), LineProblem> {
    *count += 1;
    match *count > MOST_QUESTIONS {
        true => Err(LineProblem::TooMany { most: MOST_QUESTIONS, what: "questions" }),
        false => Ok(()),
    }
}

/// The file of answers beside a file of questions, as MSR's set has it.
pub(crate) fn answers_beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let answers = path.with_file_name(name.replace("questions", "answers"));
    (name.contains("questions") && answers.is_file()).then_some(answers)
}

fn msr(path: &Path, answers_path: &Path) -> Result<Vec<Section>> {
    let mut answers: Vec<(String, String)> = Vec::new();
    for_each_line(answers_path, |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (tag, answer) = match *words.as_slice() {
            [answer] => ("", answer),
            [tag, answer] => (tag, answer),
            _ => return Err(LineProblem::AnswerFields { found: words.len() }),
        };
        answers.push((tag.to_owned(), answer.to_owned()));
        Ok(())
    })?;
    let known = answers.len();
    let (mut answers, mut count) = (answers.into_iter(), 0);
    let mut sections: Vec<Section> = Vec::new();
    for_each_line(path, |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (given, own_tag) = match *words.as_slice() {
            [a, b, c] => ([a, b, c], ""),
            [a, b, c, tag] => ([a, b, c], tag),
            _ => return Err(LineProblem::GivenFields { found: words.len() }),
        };
        one_more(&mut count)?;
        let Some((tag, answer)) = answers.next() else {
            return Err(LineProblem::NoAnswer { answers: known });
        };
        let name = if tag.is_empty() { own_tag.to_owned() } else { tag };
        let question = Question { given: given.map(str::to_owned), answers: vec![answer] };
        match sections.iter_mut().find(|section| section.name == name) {
            Some(section) => section.questions.push(question),
            None => {
                let group = match name.get(..2) {
                    Some("JJ") => "adjectives",
                    Some("NN") => "nouns",
                    Some("VB") => "verbs",
                    _ => "",
                };
                sections.push(Section { name, group: group.to_owned(), questions: vec![question] });
            }
        }
        Ok(())
    })?;
    let left = answers.count();
    if left > 0 {
        let problem = LineProblem::NoQuestion { questions: known - left };
        return Err(Error::Line { path: answers_path.to_owned(), line: known - left + 1, problem });
    }
    Ok(sections)
}

fn bats(directory: &Path) -> Result<Vec<Section>> {
    let (mut sections, mut count) = (Vec::new(), 0);
    for path in text_files(directory)? {
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        for_each_line(&path, |line| {
            let fields = match line.split_once('\t') {
                Some((word, answers)) => Some((word.trim(), answers)),
                None => line.split_once(char::is_whitespace),
            };
            let (word, answers) = fields.ok_or(LineProblem::WordAndAnswers)?;
            let answers = answers.split('/').map(str::trim).filter(|answer| !answer.is_empty());
            let answers: Vec<String> = answers.map(str::to_owned).collect();
            if answers.is_empty() || word.is_empty() {
                return Err(LineProblem::WordAndAnswers);
            }
            // Every ordered pair with the lines before.
            count += 2 * lines.len();
            if count > MOST_QUESTIONS {
                return Err(LineProblem::TooMany { most: MOST_QUESTIONS, what: "questions" });
            }
            lines.push((word.to_owned(), answers));
            Ok(())
        })?;
        let mut questions = Vec::with_capacity(lines.len() * lines.len().saturating_sub(1));
        for (i, (a, b)) in lines.iter().enumerate() {
            for (j, (c, answers)) in lines.iter().enumerate() {
                if i != j {
                    let given = [a, &b[0], c].map(String::clone);
                    questions.push(Question { given, answers: answers.clone() });
                }
            }
        }
        let folder = path.parent().filter(|parent| *parent != directory);
        let group = folder.and_then(Path::file_name).unwrap_or_default();
        let group = group.to_string_lossy().into_owned();
        let lowered = group.to_lowercase();
        let known = GROUPS[2..].iter().find(|known| lowered.contains(**known));
        let group = known.map_or(group, |known| (*known).to_owned());
        sections.push(Section { name: stem(&path), group, questions });
    }
    Ok(sections)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests {
    use super::super::written;
    use super::*;
    use proptest::prelude::*;

    fn shape(set: &Analogies) -> Vec<(&str, &str, usize)> {
        let section = |s: &Section| s.questions.len();
        set.sections.iter().map(|s| (s.name.as_str(), s.group.as_str(), section(s))).collect()
    }

    #[test]
    fn googles_sections() {
        let text = b"a b c d\r\n: empty\r\n: gram1-x\r\n# no\r\ne f g h\r\ni j k l\r\n";
        let set = written(text, Analogies::read).unwrap();
        assert_eq!(shape(&set), [("", "semantic", 1), ("gram1-x", "syntactic", 2)]);
        assert_eq!(set.groups(), ["semantic", "syntactic"]);
        let second = set.questions().nth(1).unwrap();
        assert_eq!(
            (second.given.join(" "), second.answers.join(" ")),
            ("e f g".into(), "h".into())
        );
        let error = written(b": x\na b c\n", Analogies::read).unwrap_err().to_string();
        assert!(error.contains("line 2: 3 words instead of four"), "{error}");
        let error = written(b": x\n", Analogies::read).unwrap_err().to_string();
        assert!(error.contains("holds no analogies"), "{error}");
        let error = Analogies::read(Path::new("/nowhere/x")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/x"), "{error}");
    }

    #[test]
    fn msrs_questions_with_answers_beside_them() {
        let directory = tempfile::tempdir().unwrap();
        let questions = directory.path().join("word_relationship.questions");
        let answers = directory.path().join("word_relationship.answers");
        std::fs::write(&questions, "good better rough\nbee bees fly\nbad worse old\n").unwrap();
        std::fs::write(&answers, "JJ_JJR rougher\nNN_NNS flies\nJJ_JJR older\n").unwrap();
        let set = Analogies::read(&questions).unwrap();
        assert_eq!(shape(&set), [("JJ_JJR", "adjectives", 2), ("NN_NNS", "nouns", 1)]);
        assert_eq!(set.sections[0].questions[1].answers, ["older"]);
        std::fs::write(&answers, "JJ_JJR rougher\n").unwrap();
        let error = Analogies::read(&questions).unwrap_err().to_string();
        assert!(error.contains("questions") && error.contains("line 2"), "{error}");
        std::fs::write(&answers, "A b\nA b\nA b\nA b\n").unwrap();
        let error = Analogies::read(&questions).unwrap_err().to_string();
        assert!(error.contains("answers") && error.contains("line 4"), "{error}");
        // Without answers beside it, it is a file of four columns with three.
        std::fs::remove_file(&answers).unwrap();
        let error = Analogies::read(&questions).unwrap_err().to_string();
        assert!(error.contains("line 1: 3 words instead of four"), "{error}");
    }

    #[test]
    fn batss_pairs_of_lines() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("4_Lexicographic_semantics/L01 [hypernyms].txt", "dog\tcanine/animal\ncat\tfeline\n");
        write("1_Inflectional_morphology/I01 [plural].txt", "car\tcars\nyear\tyears\nman men\n");
        write("1_Inflectional_morphology/notes.md", "not a test");
        let set = Analogies::read(directory.path()).unwrap();
        assert_eq!(
            shape(&set),
            [("I01 [plural]", "inflectional", 6), ("L01 [hypernyms]", "lexicographic", 2)]
        );
        let asked: Vec<String> = set.sections[1]
            .questions
            .iter()
            .map(|q| format!("{}: {}", q.given.join(" "), q.answers.join("/")))
            .collect();
        assert_eq!(asked, ["dog canine cat: feline", "cat feline dog: canine/animal"]);
        write("x.txt", "alone\n");
        let error = Analogies::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("x.txt") && error.contains("line 1: "), "{error}");
        let many: String = (0..1100).map(|i| format!("w{i} v{i}\n")).collect();
        write("x.txt", &many);
        let error = Analogies::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 questions"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _either = written(&bytes, Analogies::read);
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("questions"), &bytes).unwrap();
            std::fs::write(directory.path().join("answers"), &bytes).unwrap();
            std::fs::write(directory.path().join("x.txt"), &bytes).unwrap();
            let _either = Analogies::read(&directory.path().join("questions"));
            let _either = Analogies::read(directory.path());
        }
    }
}
