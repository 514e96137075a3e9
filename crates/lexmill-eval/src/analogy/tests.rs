use super::*;
use crate::Section;
use lexmill_embeddings::Embeddings;
use lexmill_vocab::{Random, Vocabulary};

/// 3CosAdd as the formula has it, in f64.
fn naive(vectors: &UnitVectors, question: &[String; 4], top: usize) -> Outcome {
    let forms: Vec<Option<u32>> = question.iter().map(|word| vectors.form(word)).collect();
    let known = |form: &Option<u32>| form.is_some_and(|form| (form as usize) < top);
    if !forms.iter().all(known) {
        return Outcome::NotCovered;
    }
    let forms: Vec<u32> = forms.into_iter().flatten().collect();
    let dot = |x: u32, y: u32| -> f64 {
        let pairs = vectors.vector(x).iter().zip(vectors.vector(y));
        pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    let mut best = (f64::NEG_INFINITY, u32::MAX);
    for d in (0..top as u32).filter(|d| !forms[..3].contains(d)) {
        let score = dot(d, forms[1]) - dot(d, forms[0]) + dot(d, forms[2]);
        if score > best.0 {
            best = (score, d);
        }
    }
    if best.1 == forms[3] { Outcome::Right } else { Outcome::Wrong }
}

fn embeddings(words: &[String], vectors: Vec<f32>) -> UnitVectors {
    let vocabulary = Vocabulary::from_ordered(words.iter().map(|w| (w.as_str(), 1))).unwrap();
    let dim = vectors.len() / words.len();
    UnitVectors::new(Embeddings::new(vocabulary, dim, vectors).unwrap(), true)
}

fn one_section(questions: Vec<[String; 4]>) -> Analogies {
    Analogies { sections: vec![Section { name: "x".to_owned(), questions }] }
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
    let set = one_section(questions);
    for restrict in [0, 5000, 20_000] {
        let found = outcomes(&vectors, &set, restrict);
        let top = vectors.forms_in_rows(restrict);
        for (index, question) in set.questions().enumerate() {
            assert_eq!(found.all[index], naive(&vectors, question, vectors.len()), "{question:?}");
            assert_eq!(found.top[index], naive(&vectors, question, top), "{question:?}");
        }
        let right = found.all.iter().filter(|&&outcome| outcome == Outcome::Right).count();
        assert!(right > 10, "{right}");
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| outcomes(&vectors, &set, restrict)), found);
    }
}

#[test]
fn nobody_is_left_to_answer() {
    let words = ["a", "b", "c"].map(str::to_owned);
    let vectors = embeddings(&words, vec![1.0, 0.0, 0.0, 1.0, 0.5, 0.5]);
    let set = one_section(vec![["a", "b", "c", "a"].map(str::to_owned)]);
    assert_eq!(outcomes(&vectors, &set, 10).all, [Outcome::Wrong]);
    assert_eq!(outcomes(&vectors, &set, 2).top, [Outcome::NotCovered]);
    let set = one_section(vec![["x", "b", "c", "a"].map(str::to_owned)]);
    assert_eq!(outcomes(&vectors, &set, 10).all, [Outcome::NotCovered]);
}

#[test]
fn the_first_largest_above_the_floor() {
    let zeros = [0.0; 40];
    let mut b = [0.0; 40];
    for (at, value) in [(3, 1.0), (20, 2.0), (35, 2.0), (39, 1.5)] {
        b[at] = value;
    }
    assert_eq!(largest(&zeros, &b, &zeros, 1.0), Some((20, 2.0)));
    assert_eq!(largest(&zeros, &b, &zeros, 2.0), None);
    assert_eq!(largest(&zeros[..20], &b[20..], &zeros[20..], 1.0), Some((0, 2.0)));
    assert_eq!(largest(&[], &[], &[], f32::NEG_INFINITY), None);
}
