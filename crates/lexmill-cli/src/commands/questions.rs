//! `lexmill similarity`, `analogy` and `odd-one-out`.

use anyhow::Result;
use lexmill_embeddings::{AnalogyMethod, Query, Vectors, cosine, odd_one_out, offset};
use serde_json::{Value, json};

use crate::args::vectors::{AnalogyArgs, OddOneOutArgs, SimilarityArgs, Source};
use crate::commands::neighbors::{answers_json, answers_text, searched};
use crate::commands::vectors::{complain_of, direction, questions};
use crate::output::print;

/// Questions all of whose words have vectors, with these, and the words that have none.
struct Asked<'q> {
    answerable: Vec<(&'q [String], Vec<Vec<f32>>)>,
    unknown: Vec<&'q str>,
}

/// Looks up the first `words` words of each question, or all of them.
fn look_up<'q>(vectors: &Vectors, questions: &'q [Vec<String>], words: usize) -> Result<Asked<'q>> {
    let mut asked = Asked { answerable: Vec::new(), unknown: Vec::new() };
    for question in questions {
        let mut found = Vec::new();
        for word in question.iter().take(words) {
            match direction(vectors, word)? {
                Some(vector) => found.push(vector),
                None => asked.unknown.push(word),
            }
        }
        if found.len() == question.len().min(words) {
            asked.answerable.push((question, found));
        }
    }
    asked.unknown.sort_unstable();
    asked.unknown.dedup();
    Ok(asked)
}

fn open(source: &Source) -> Result<Vectors> {
    Ok(Vectors::open(&source.path, &source.options())?)
}

fn print_json(answers: Vec<Value>) -> Result<()> {
    print(&format!("{:#}\n", Value::Array(answers)))
}

/// Shows the cosine of each pair of words.
pub(crate) fn similarity(args: &SimilarityArgs) -> Result<()> {
    let vectors = open(&args.source)?;
    let questions = questions(&args.asked, &args.asking, 2)?;
    let asked = look_up(&vectors, &questions, 2)?;
    let scored = asked.answerable.iter().map(|(words, found)| {
        let score = cosine(&found[0], &found[1]);
        (&words[0], &words[1], score)
    });
    match args.asking.json {
        true => print_json(
            scored.map(|(a, b, cosine)| json!({ "words": [a, b], "cosine": cosine })).collect(),
        )?,
        false => {
            let lines: String =
                scored.map(|(a, b, cosine)| format!("{a}\t{b}\t{cosine:.4}\n")).collect();
            print(&lines)?;
        }
    }
    complain_of(&vectors, &args.source.path, &asked.unknown)
}

/// Shows what the fourth word of each analogy may be.
pub(crate) fn analogy(args: &AnalogyArgs) -> Result<()> {
    let vectors = open(&args.source)?;
    let embeddings = vectors.embeddings()?;
    let questions = questions(&args.asked, &args.asking, 3)?;
    let asked = look_up(&vectors, &questions, 3)?;
    let neighbors = searched(&embeddings, &args.best);
    let given = |words: &[String]| {
        words[..3].iter().filter_map(|word| embeddings.vocabulary().id(word)).collect::<Vec<_>>()
    };
    fn three(found: &[Vec<f32>]) -> [&[f32]; 3] {
        [&found[0], &found[1], &found[2]]
    }
    let (method, count) = (args.method.method(), args.best.count);
    let answers = match method {
        AnalogyMethod::CosAdd => {
            let query = |(words, found): &(&[String], Vec<Vec<f32>>)| Query {
                vector: offset(three(found)),
                exclude: given(words),
            };
            let queries: Vec<Query> = asked.answerable.iter().map(query).collect();
            neighbors.nearest_all(&queries, count)
        }
        AnalogyMethod::CosMul => {
            let answer = |(words, found): &(&[String], Vec<Vec<f32>>)| {
                neighbors.analogy(three(found), method, count, &given(words))
            };
            asked.answerable.iter().map(answer).collect()
        }
    };
    let all = asked.answerable.iter().zip(&answers);
    match args.asking.json {
        true => print_json(
            all.map(|((words, _), answers)| {
                let answers = answers_json(&embeddings, "score", answers);
                let mut entry = json!({ "question": words[..3], "answers": answers });
                if let Some(expected) = words.get(3) {
                    entry["expected"] = expected.as_str().into();
                }
                entry
            })
            .collect(),
        )?,
        false => {
            let text: String = all
                .map(|((words, _), answers)| {
                    let expected = words
                        .get(3)
                        .map_or_else(String::new, |word| format!(" (said to be {word})"));
                    let table = answers_text(&embeddings, "answer", "score", answers);
                    format!("{} : {} :: {} : ?{expected}\n{table}", words[0], words[1], words[2])
                })
                .collect();
            print(&text)?;
        }
    }
    complain_of(&vectors, &args.source.path, &asked.unknown)
}

/// Shows which word of each line is least like the others.
pub(crate) fn odd(args: &OddOneOutArgs) -> Result<()> {
    let vectors = open(&args.source)?;
    let questions = questions(&args.asked, &args.asking, 0)?;
    let asked = look_up(&vectors, &questions, usize::MAX)?;
    let odd = asked
        .answerable
        .iter()
        .filter_map(|(words, found)| odd_one_out(found).map(|index| (*words, &words[index])));
    match args.asking.json {
        true => {
            print_json(odd.map(|(words, odd)| json!({ "words": words, "odd": odd })).collect())?
        }
        false => print(&odd.map(|(_, odd)| format!("{odd}\n")).collect::<String>())?,
    }
    complain_of(&vectors, &args.source.path, &asked.unknown)
}
