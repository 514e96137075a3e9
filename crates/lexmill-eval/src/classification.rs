//! Classification: what a linear classifier makes of averaged vectors.
//!
//! A text is the mean of the unit vectors of its known tokens; words are those of the segmenter `unicode-words`
//! (UAX #29), as `tokenize` has them by default. [`Classifier`] is trained and tested by stratified k-fold
//! cross-validation: the texts of each label are shuffled and dealt out to the folds in turn, and each fold is
//! predicted by a classifier trained on all others. Folds depend on the labels and the seed alone, so they are
//! the same for any embeddings.
//!
//! A text is covered if one of its words is known. Texts that are not take no part, and count as wrong in
//! `score_oov_wrong`. The scores are the accuracy and the macro F1, the unweighted mean of
//! 2 TP / (2 TP + FP + FN) over the labels, both over the predictions of all folds together; beside them
//! stand what one gets right who always says the most frequent label, and the share of tokens that are
//! known. Intervals are from draws of texts with their predictions: nothing is trained anew.

use std::path::Path;

use lexmill_tokenize::{TokenizeSettings, each_record};
use lexmill_vocab::{Interner, Random};
use rayon::prelude::*;

use crate::bootstrap::{TEXTS, proportion, resampled};
use crate::logistic::{Classifier, Texts};
use crate::{Comparison, Error, EvaluateSettings, Result, UnitVectors};

/// Labels there may be: an identifier is none.
const MOST_LABELS: usize = 1000;

/// Labelled texts as features of some embeddings.
#[derive(Debug, Clone)]
pub struct LabelledTexts {
    /// The names of the labels, by number.
    names: Vec<String>,
    /// The label of each text.
    labels: Vec<u32>,
    /// For each of the embeddings.
    features: Vec<Features>,
    /// Tokens of all texts.
    tokens: u64,
    /// Texts without words, which have no label here.
    empty: u64,
}

/// Texts as means of vectors.
#[derive(Debug, Clone, Default)]
struct Features {
    /// `(texts, dim)`; zeros where no word is known.
    means: Vec<f32>,
    dim: usize,
    covered: Vec<bool>,
    /// Tokens whose words are known.
    known: u64,
}

impl LabelledTexts {
    /// Reads labelled texts (JSON lines, CSV, TSV, Parquet, by the name of the file) into features of each of
    /// the embeddings.
    ///
    /// # Errors
    /// If the file can't be read, a text has no label, there are fewer than two or more than 1000 labels, or
    /// the features take more than `most_bytes`.
    pub fn read(
        path: &Path,
        models: &[&UnitVectors],
        settings: &EvaluateSettings,
        most_bytes: u64,
    ) -> Result<LabelledTexts> {
        if !path.is_file() {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(lexmill_store::Error::io("read", path)(missing).into());
        }
        let tokenize = TokenizeSettings {
            input: vec![path.to_string_lossy().into_owned()],
            field: settings.text_field.clone(),
            metadata: vec![settings.label_field.clone()],
            ..TokenizeSettings::default()
        };
        let mut names = Interner::new();
        let mut texts = LabelledTexts {
            names: Vec::new(),
            labels: Vec::new(),
            features: models
                .iter()
                .map(|model| Features { dim: model.dim(), ..Features::default() })
                .collect(),
            tokens: 0,
            empty: 0,
        };
        let text_bytes: u64 = models.iter().map(|model| model.dim() as u64 * 4 + 1).sum();
        let mut sum = Vec::new();
        let report = each_record::<Error>(&tokenize, |tokens, fields| {
            let problem = |problem| Error::Labels { path: path.to_owned(), problem };
            let number = texts.labels.len() + 1;
            let label = fields.first().map_or("", |label| label.trim());
            if label.is_empty() {
                let field = &settings.label_field;
                return Err(problem(format!(
                    "text {number} (of those with words) has no label; name its field in label_field, \
                     which is {field:?}, or take the text out"
                )));
            }
            texts.labels.push(names.intern(label));
            if names.len() > MOST_LABELS {
                let field = &settings.label_field;
                return Err(problem(format!(
                    "there are more than {MOST_LABELS} different values in {field:?}; name the field of \
                     the labels in label_field"
                )));
            }
            if text_bytes * number as u64 > most_bytes || u32::try_from(number).is_err() {
                return Err(problem(format!(
                    "its texts take more memory than there is, from text {number} on; raise --memory or \
                     take a part of them"
                )));
            }
            texts.tokens += tokens.len() as u64;
            for (features, model) in texts.features.iter_mut().zip(models) {
                features.add(model, tokens, &mut sum);
            }
            Ok(())
        })
        .map_err(|error| match error {
            Error::Tokenize(lexmill_tokenize::Error::Record { path, place, problem }) => {
                Error::Labels { path, problem: format!("{place}: {problem}") }
            }
            error => error,
        })?;
        texts.empty = report.empty_documents + report.records_without_text;
        texts.names = names.words().map(str::to_owned).collect();
        if texts.labels.is_empty() && report.records_without_text > 0 {
            let problem = format!(
                "no record has text in {:?} (there are {}); name its field in text_field",
                settings.text_field, report.other_fields
            );
            return Err(Error::Labels { path: path.to_owned(), problem });
        }
        if texts.names.len() < 2 {
            let wanted = "texts with two different labels";
            return Err(Error::Empty { path: path.to_owned(), wanted });
        }
        Ok(texts)
    }

    /// Texts, those without words included.
    pub fn total(&self) -> u64 {
        self.labels.len() as u64 + self.empty
    }

    /// The label that cross-validation predicts for each text, with one of the embeddings; of texts that are
    /// not covered nothing. On the threads of the current rayon pool.
    pub fn predictions(&self, model: usize, settings: &EvaluateSettings) -> Vec<Option<u32>> {
        let features = &self.features[model];
        let texts = Texts {
            features: &features.means,
            dim: features.dim,
            labels: &self.labels,
            classes: self.names.len(),
        };
        let folds = folds(&self.labels, self.names.len(), settings.folds, settings.seed);
        let parts: Vec<Vec<(u32, u32)>> = (0..settings.folds)
            .into_par_iter()
            .map(|fold| {
                let covered = (0..folds.len() as u32).filter(|&i| features.covered[i as usize]);
                let (test, train): (Vec<u32>, Vec<u32>) =
                    covered.partition(|&text| folds[text as usize] == fold);
                let classifier = Classifier::fit(&texts, &train, settings.l2);
                let row =
                    |text: u32| &features.means[text as usize * features.dim..][..features.dim];
                test.into_iter().map(|text| (text, classifier.predict(row(text)))).collect()
            })
            .collect();
        let mut predictions = vec![None; self.labels.len()];
        for (text, label) in parts.into_iter().flatten() {
            predictions[text as usize] = Some(label);
        }
        predictions
    }

    /// What predictions are worth.
    pub fn scores(
        &self,
        model: usize,
        predictions: &[Option<u32>],
        settings: &EvaluateSettings,
    ) -> Classification {
        let known: Vec<(u32, u32)> = self
            .labels
            .iter()
            .zip(predictions)
            .filter_map(|(&label, prediction)| Some((label, (*prediction)?)))
            .collect();
        let mut counts = Counts::new(self.names.len());
        let ones = vec![1; known.len()];
        let name = [settings.seed, TEXTS, known.len() as u64];
        let measures: [fn(&Counts) -> Option<f64>; 3] =
            [Counts::accuracy, Counts::macro_f1, Counts::majority];
        let [accuracy, macro_f1, majority] =
            measures.map(|score| score(counts.of(&known, &ones)).unwrap_or(f64::NAN));
        let hits = known.iter().filter(|(label, said)| label == said).count() as u64;
        let of = known.len() as u64;
        let accuracy = (accuracy, proportion(settings.bootstrap, settings.seed, hits, of));
        // Draws without a rare label would be means over fewer, easier ones.
        let labels = counts.there(&known);
        let interval = resampled(known.len(), settings.bootstrap, &name, |times| {
            counts.of(&known, times).macro_f1_over(labels)
        });
        let macro_f1 = (macro_f1, interval);
        // Everything that is not covered as texts of their label, predicted as none.
        let mut all = Counts::new(self.names.len());
        for (&label, prediction) in self.labels.iter().zip(predictions) {
            all.add(label, *prediction, 1);
        }
        all.texts += self.empty;
        let tokens = (self.features[model].known, self.tokens);
        Classification {
            accuracy,
            macro_f1,
            majority,
            oov_wrong: measures.map(|score| score(&all).unwrap_or(f64::NAN)),
            covered: known.len() as u64,
            tokens,
        }
    }

    /// Compares the predictions of two embeddings, by accuracy and by macro F1, on the texts that both cover.
    pub fn compare(
        &self,
        [ours, theirs]: [&[Option<u32>]; 2],
        settings: &EvaluateSettings,
    ) -> [Comparison; 2] {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for ((&label, ours), theirs) in self.labels.iter().zip(ours).zip(theirs) {
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                first.push((label, *ours));
                second.push((label, *theirs));
            }
        }
        let mut counts = Counts::new(self.names.len());
        let labels = [&first, &second].map(|known| counts.there(known));
        let accuracy = Comparison::of(first.len(), settings.bootstrap, settings.seed, |times| {
            let ours = counts.of(&first, times).accuracy()?;
            Some((ours, counts.of(&second, times).accuracy()?))
        });
        let macro_f1 = Comparison::of(first.len(), settings.bootstrap, settings.seed, |times| {
            let ours = counts.of(&first, times).macro_f1_over(labels[0])?;
            Some((ours, counts.of(&second, times).macro_f1_over(labels[1])?))
        });
        [accuracy, macro_f1]
    }
}

impl Features {
    /// Adds a text.
    fn add(&mut self, model: &UnitVectors, tokens: &[&str], sum: &mut Vec<f64>) {
        sum.clear();
        sum.resize(self.dim, 0.0);
        let mut known = 0u64;
        for form in tokens.iter().filter_map(|token| model.form(token)) {
            known += 1;
            sum.iter_mut().zip(model.vector(form)).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let scale = (known.max(1) as f64).recip();
        self.means.extend(sum.iter().map(|sum| (sum * scale) as f32));
        self.covered.push(known > 0);
        self.known += known;
    }
}

/// A score with its 95 % interval.
pub type WithInterval = (f64, (f64, f64));

/// What labelled texts say about embeddings.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// The share of right labels.
    pub accuracy: WithInterval,
    /// The mean F1 over the labels.
    pub macro_f1: WithInterval,
    /// The share of the most frequent label: what a classifier gets that knows nothing else.
    pub majority: f64,
    /// These three over all texts.
    pub oov_wrong: [f64; 3],
    /// Texts that are covered.
    pub covered: u64,
    /// Known tokens, and all.
    pub tokens: (u64, u64),
}

/// The fold of each text, `0..folds`: of each label, in the order of numbers, as many in each as in the
/// next, or one more.
fn folds(labels: &[u32], classes: usize, folds: u32, seed: u64) -> Vec<u32> {
    let mut by_label: Vec<Vec<u32>> = vec![Vec::new(); classes];
    for (text, &label) in (0..).zip(labels) {
        by_label[label as usize].push(text);
    }
    let mut of = vec![0; labels.len()];
    let mut next = 0;
    for (label, mut texts) in (0..).zip(by_label) {
        Random::named(&[seed, FOLDS, label]).shuffle(&mut texts);
        // Small labels would all begin with the first fold if each began anew.
        for text in texts {
            of[text as usize] = next;
            next = (next + 1) % folds;
        }
    }
    of
}

/// Names the random stream.
const FOLDS: u64 = 0x0066_6F6C_6473;

/// Of each label: texts of it, texts predicted to be of it, and those that are both.
struct Counts {
    true_and_said: Vec<[u64; 3]>,
    texts: u64,
}

impl Counts {
    fn new(classes: usize) -> Counts {
        Counts { true_and_said: vec![[0; 3]; classes], texts: 0 }
    }

    fn add(&mut self, label: u32, prediction: Option<u32>, times: u32) {
        let times = u64::from(times);
        self.true_and_said[label as usize][0] += times;
        if let Some(prediction) = prediction {
            self.true_and_said[prediction as usize][1] += times;
        }
        if prediction == Some(label) {
            self.true_and_said[label as usize][2] += times;
        }
        self.texts += times;
    }

    /// The counts of labels and predictions when text `i` is there `times[i]` times.
    fn of(&mut self, known: &[(u32, u32)], times: &[u32]) -> &Counts {
        self.true_and_said.fill([0; 3]);
        self.texts = 0;
        for (&(label, prediction), &times) in known.iter().zip(times) {
            self.add(label, Some(prediction), times);
        }
        self
    }

    fn accuracy(&self) -> Option<f64> {
        let right: u64 = self.true_and_said.iter().map(|counts| counts[2]).sum();
        (self.texts > 0).then(|| right as f64 / self.texts as f64)
    }

    /// How many labels are there or were said.
    fn there(&mut self, known: &[(u32, u32)]) -> usize {
        self.of(known, &vec![1; known.len()]).labels()
    }

    fn labels(&self) -> usize {
        self.true_and_said.iter().filter(|[is, said, _]| is + said > 0).count()
    }

    /// Over the labels that are there or were said.
    fn macro_f1(&self) -> Option<f64> {
        self.macro_f1_over(self.labels())
    }

    /// The mean of the F1 of so many labels; those that are neither there nor were said have 0.
    fn macro_f1_over(&self, labels: usize) -> Option<f64> {
        let there = self.true_and_said.iter().filter(|[is, said, _]| is + said > 0);
        let sum: f64 = there.map(|&[is, said, both]| 2.0 * both as f64 / (is + said) as f64).sum();
        (labels > 0).then(|| sum / labels as f64)
    }

    fn majority(&self) -> Option<f64> {
        let most = self.true_and_said.iter().map(|counts| counts[0]).max()?;
        (self.texts > 0).then(|| most as f64 / self.texts as f64)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "inputs of tests need not appear whole")]
mod tests;
