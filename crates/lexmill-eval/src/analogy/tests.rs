use super::*;
use crate::test_sets::{Question as Asked, Section};
use lexmill_embeddings::Embeddings;
use lexmill_vocab::{Random, Vocabulary};

/// The answer as the formulas have it, in f64.
fn naive(vectors: &UnitVectors, question: &Asked, method: AnalogyMethod, top: usize) -> Outcome {
    let form = |word: &String| vectors.form(word).filter(|&form| (form as usize) < top);
    let forms: Vec<u32> = question.given.iter().filter_map(form).collect();
    let answers: Vec<u32> = question.answers.iter().filter_map(form).collect();
    if forms.len() < 3 || answers.is_empty() {
        return Outcome::NotCovered;
    }
    let dot = |x: u32, y: u32| -> f64 {
        let pairs = vectors.vector(x).iter().zip(vectors.vector(y));
        pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    let mut best = (f64::NEG_INFINITY, u32::MAX);
    for d in (0..top as u32).filter(|d| !forms[..3].contains(d)) {
        let [a, b, c] = [0, 1, 2].map(|i| dot(d, forms[i]));
        let score = match method {
            AnalogyMethod::CosAdd => b - a + c,
            AnalogyMethod::CosMul => (b + 1.0) / 2.0 * (c + 1.0) / 2.0 / ((a + 1.0) / 2.0 + 0.001),
        };
        if score > best.0 {
            best = (score, d);
        }
    }
    if answers.contains(&best.1) { Outcome::Right } else { Outcome::Wrong }
}

fn embeddings(words: &[String], vectors: Vec<f32>) -> UnitVectors {
    let vocabulary = Vocabulary::from_ordered(words.iter().map(|w| (w.as_str(), 1))).unwrap();
    let dim = vectors.len() / words.len();
    UnitVectors::new(Embeddings::new(vocabulary, dim, vectors).unwrap(), true)
}

fn one_section(questions: Vec<[String; 4]>) -> Analogies {
    let asked = |[a, b, c, d]: [String; 4]| Asked { given: [a, b, c], answers: vec![d] };
    let questions = questions.into_iter().map(asked).collect();
    Analogies { sections: vec![Section { questions, ..Section::default() }] }
}

#[test]
fn agrees_with_the_formula() {
    let mut random = Random::named(&[11]);
    let (words, dim) = (9000, 5);
    // In few dimensions with offsets that repeat, so that a good part of the answers is right.
    let names: Vec<String> = (0..words)
        .map(|i| if i % 50 == 1 { format!("W{}", i - 1) } else { format!("w{i}") })
        .collect();
    let mut floats: Vec<f32> = (0..words * dim).map(|_| random.unit_f32() - 0.5).collect();
    for pair in floats.chunks_exact_mut(20 * dim) {
        let (first, second) = pair.split_at_mut(10 * dim);
        second[..dim].copy_from_slice(&first[..dim]);
        second[0] += 0.3;
    }
    let vectors = embeddings(&names, floats);
    assert_eq!(vectors.len(), words - words / 50);
    let mut questions = Vec::new();
    for _ in 0..150 {
        let (x, y) = (20 * random.below(words as u32 / 40), 20 * random.below(words as u32 / 20));
        questions.push([x, x + 10, y, y + 10].map(|i| format!("w{i}")));
    }
    questions.push(["w1", "w2", "w3", "nowhere"].map(str::to_owned));
    questions.push(["w1", "w1", "w1", "w7"].map(str::to_owned));
    let mut set = one_section(questions);
    // Several answers count, known or not.
    for question in set.sections[0].questions.iter_mut().step_by(3) {
        let x = random.below(words as u32);
        question.answers.extend(["nowhere".to_owned(), format!("w{x}"), format!("w{}", x % 100)]);
    }
    for (method, restrict) in [AnalogyMethod::CosAdd, AnalogyMethod::CosMul]
        .into_iter()
        .flat_map(|method| [0, 5000, 20_000].map(|restrict| (method, restrict)))
    {
        let found = outcomes(&vectors, &set, method, restrict);
        let top = vectors.forms_in_rows(restrict);
        for (index, question) in set.questions().enumerate() {
            assert_eq!(
                found.all[index],
                naive(&vectors, question, method, vectors.len()),
                "{question:?}"
            );
            assert_eq!(found.top[index], naive(&vectors, question, method, top), "{question:?}");
        }
        let right = found.all.iter().filter(|&&outcome| outcome == Outcome::Right).count();
        assert!(
            right > if method == AnalogyMethod::CosAdd { 10 } else { 3 },
            "{method:?}: {right}"
        );
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| outcomes(&vectors, &set, method, restrict)), found);
    }
}

#[test]
fn nobody_is_left_to_answer() {
    let words = ["a", "b", "c"].map(str::to_owned);
    let vectors = embeddings(&words, vec![1.0, 0.0, 0.0, 1.0, 0.5, 0.5]);
    let set = one_section(vec![["a", "b", "c", "a"].map(str::to_owned)]);
    assert_eq!(outcomes(&vectors, &set, AnalogyMethod::CosAdd, 10).all, [Outcome::Wrong]);
    assert_eq!(outcomes(&vectors, &set, AnalogyMethod::CosAdd, 2).top, [Outcome::NotCovered]);
    let set = one_section(vec![["x", "b", "c", "a"].map(str::to_owned)]);
    assert_eq!(outcomes(&vectors, &set, AnalogyMethod::CosAdd, 10).all, [Outcome::NotCovered]);
}

#[test]
fn the_first_largest_above_the_floor() {
    let zeros = [0.0; 40];
    let mut b = [0.0; 40];
    for (at, value) in [(3, 1.0), (20, 2.0), (35, 2.0), (39, 1.5)] {
        b[at] = value;
    }
    assert_eq!(largest(&zeros, &b, &zeros, 1.0, cos_add), Some((20, 2.0)));
    assert_eq!(largest(&zeros, &b, &zeros, 2.0, cos_add), None);
    assert_eq!(largest(&zeros[..20], &b[20..], &zeros[20..], 1.0, cos_add), Some((0, 2.0)));
    assert_eq!(largest(&[], &[], &[], f32::NEG_INFINITY, cos_add), None);
}
