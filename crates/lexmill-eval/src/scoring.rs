//! A test set to rows of the table of scores.

use std::ops::Range;
use std::path::Path;

use crate::analogy::{Outcome, outcomes};
use crate::bootstrap::proportion;
use crate::categorization::categorization;
use crate::similarity::similarity;
use crate::{
    Analogies, Categories, Comparison, EvaluateSettings, Kind, LabelledTexts, Measure, Outliers,
    Result, Score, UnitVectors, WordPairs, categorization as categories, outlier,
    similarity as pairs,
};

/// The embeddings, and those they are compared with.
pub(crate) struct Models {
    pub(crate) ours: UnitVectors,
    pub(crate) baseline: Option<UnitVectors>,
}

impl Models {
    /// Both of them, if there are two.
    fn both(&self) -> Option<[&UnitVectors; 2]> {
        self.baseline.as_ref().map(|baseline| [&self.ours, baseline])
    }
}

/// A test set, and what it is called in the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Set<'a> {
    pub(crate) kind: Kind,
    pub(crate) path: &'a Path,
    pub(crate) name: &'a str,
}

const ALL: &str = "all";
const TOTAL: &str = "total";

impl Set<'_> {
    /// A row of it, on the whole.
    fn row(&self, measure: Measure) -> Score {
        Score {
            set: self.name.to_owned(),
            kind: self.kind,
            measure,
            section: TOTAL.to_owned(),
            vocabulary: ALL.to_owned(),
            score: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
            score_oov_wrong: f64::NAN,
            covered: 0,
            total: 0,
            comparison: None,
        }
    }
}

/// The rows of a test set, and the header lines skipped in its file; on the threads of the current rayon pool.
pub(crate) fn score(
    set: Set<'_>,
    settings: &EvaluateSettings,
    models: &Models,
    most_bytes: u64,
) -> Result<(Vec<Score>, usize)> {
    match set.kind {
        Kind::Similarity => {
            let read = WordPairs::read(set.path)?;
            Ok((similarity_rows(set, &read, settings, models), read.skipped))
        }
        Kind::Analogy => {
            let read = Analogies::read(set.path)?;
            Ok((analogy_rows(set, &read, settings, models), 0))
        }
        Kind::Categorization => {
            let read = Categories::read(set.path)?;
            Ok((categorization_rows(set, &read, settings, models), read.skipped))
        }
        Kind::Outliers => {
            let read = Outliers::read(set.path)?;
            Ok((outlier_rows(set, &read, settings, models), 0))
        }
        Kind::Classification => {
            let all: Vec<&UnitVectors> =
                [&models.ours].into_iter().chain(&models.baseline).collect();
            let read = LabelledTexts::read(set.path, &all, settings, most_bytes)?;
            Ok((classification_rows(set, &read, settings, models), 0))
        }
    }
}

fn similarity_rows(
    set: Set<'_>,
    read: &WordPairs,
    settings: &EvaluateSettings,
    models: &Models,
) -> Vec<Score> {
    let EvaluateSettings { bootstrap, seed, .. } = *settings;
    let found = similarity(&models.ours, read, bootstrap, seed);
    vec![Score {
        score: found.spearman,
        low: found.interval.0,
        high: found.interval.1,
        score_oov_wrong: found.oov_as_zero,
        covered: found.covered as u64,
        total: found.total as u64,
        comparison: models.both().map(|both| pairs::compare(both, read, bootstrap, seed)),
        ..set.row(Measure::Spearman)
    }]
}

fn categorization_rows(
    set: Set<'_>,
    read: &Categories,
    settings: &EvaluateSettings,
    models: &Models,
) -> Vec<Score> {
    let EvaluateSettings { bootstrap, seed, .. } = *settings;
    let found = categorization(&models.ours, read, bootstrap, seed);
    vec![Score {
        score: found.purity,
        low: found.interval.0,
        high: found.interval.1,
        score_oov_wrong: found.oov_wrong,
        covered: found.covered as u64,
        total: found.total as u64,
        comparison: models.both().map(|both| categories::compare(both, read, bootstrap, seed)),
        ..set.row(Measure::Purity)
    }]
}

fn outlier_rows(
    set: Set<'_>,
    read: &Outliers,
    settings: &EvaluateSettings,
    models: &Models,
) -> Vec<Score> {
    let EvaluateSettings { bootstrap, seed, .. } = *settings;
    let ours = outlier::positions(&models.ours, read);
    let theirs = models.baseline.as_ref().map(|baseline| outlier::positions(baseline, read));
    let comparisons = theirs.map(|theirs| outlier::compare([&ours, &theirs], bootstrap, seed));
    let comparisons = comparisons.map_or([None, None], |both| both.map(Some));
    let shares = outlier::shares(&ours, bootstrap, seed);
    let rows = [Measure::Accuracy, Measure::Opp].into_iter().zip(shares).zip(comparisons);
    rows.map(|((measure, share), comparison)| Score {
        score: share.score,
        low: share.interval.0,
        high: share.interval.1,
        score_oov_wrong: share.oov_wrong,
        covered: ours.iter().flatten().count() as u64,
        total: ours.len() as u64,
        comparison,
        ..set.row(measure)
    })
    .collect()
}

fn classification_rows(
    set: Set<'_>,
    read: &LabelledTexts,
    settings: &EvaluateSettings,
    models: &Models,
) -> Vec<Score> {
    let ours = read.predictions(0, settings);
    let theirs = models.baseline.as_ref().map(|_| read.predictions(1, settings));
    let found = read.scores(0, &ours, settings);
    let [accuracy, macro_f1] = match &theirs {
        Some(theirs) => read.compare([&ours, theirs], settings).map(Some),
        None => [None, None],
    };
    let rows = [
        (Measure::Accuracy, found.accuracy, found.oov_wrong[0], accuracy),
        (Measure::MacroF1, found.macro_f1, found.oov_wrong[1], macro_f1),
        (Measure::Majority, (found.majority, (f64::NAN, f64::NAN)), found.oov_wrong[2], None),
    ];
    let mut scores: Vec<Score> = rows
        .into_iter()
        .map(|(measure, (score, (low, high)), score_oov_wrong, comparison)| Score {
            score,
            low,
            high,
            score_oov_wrong,
            covered: found.covered,
            total: read.total(),
            comparison,
            ..set.row(measure)
        })
        .collect();
    let (covered, total) = found.tokens;
    let share = covered as f64 / total as f64;
    scores.push(Score {
        score: share,
        score_oov_wrong: share,
        covered,
        total,
        ..set.row(Measure::Tokens)
    });
    scores
}

fn analogy_rows(
    set: Set<'_>,
    read: &Analogies,
    settings: &EvaluateSettings,
    models: &Models,
) -> Vec<Score> {
    let answer = |vectors| outcomes(vectors, read, settings.analogy_method, settings.restrict);
    let ours = answer(&models.ours);
    let theirs = models.baseline.as_ref().map(answer);
    let parts = parts(read);
    let mut vocabularies =
        vec![(ALL.to_owned(), &ours.all, theirs.as_ref().map(|theirs| &theirs.all))];
    if settings.restrict > 0 {
        let top = format!("top {}", settings.restrict);
        vocabularies.push((top, &ours.top, theirs.as_ref().map(|theirs| &theirs.top)));
    }
    let rows = vocabularies.iter().flat_map(|(vocabulary, ours, theirs)| {
        parts.iter().map(move |part| Score {
            section: part.name.clone(),
            vocabulary: vocabulary.clone(),
            comparison: theirs.map(|theirs| part.compare(ours, theirs, settings)),
            ..part.tally(ours).row(set, settings)
        })
    });
    rows.collect()
}

/// Some of the questions of a set: all, a group, or a section.
struct Part {
    name: String,
    questions: Vec<Range<usize>>,
}

/// The whole set, its groups, then its sections.
fn parts(set: &Analogies) -> Vec<Part> {
    let mut start = 0;
    let mut sections = Vec::new();
    for section in &set.sections {
        let questions = start..start + section.questions.len();
        start = questions.end;
        sections.push((section, questions));
    }
    let all = sections.iter().map(|(_, questions)| questions.clone());
    let mut parts = vec![Part { name: TOTAL.to_owned(), questions: all.collect() }];
    for group in set.groups() {
        let of = sections.iter().filter(|(section, _)| section.group == group);
        let questions = of.map(|(_, questions)| questions.clone()).collect();
        parts.push(Part { name: group.to_owned(), questions });
    }
    let one = |(section, questions): (&crate::Section, Range<usize>)| Part {
        name: section.name.clone(),
        questions: vec![questions],
    };
    parts.extend(sections.into_iter().map(one));
    parts
}

impl Part {
    fn of<'o>(&'o self, outcomes: &'o [Outcome]) -> impl Iterator<Item = Outcome> + 'o {
        self.questions.iter().flat_map(|range| &outcomes[range.clone()]).copied()
    }

    fn tally(&self, outcomes: &[Outcome]) -> Tally {
        let mut tally = Tally::default();
        for outcome in self.of(outcomes) {
            tally.total += 1;
            tally.covered += u64::from(outcome != Outcome::NotCovered);
            tally.right += u64::from(outcome == Outcome::Right);
        }
        tally
    }

    fn compare(
        &self,
        ours: &[Outcome],
        theirs: &[Outcome],
        settings: &EvaluateSettings,
    ) -> Comparison {
        let value = |outcome| match outcome {
            Outcome::NotCovered => None,
            Outcome::Wrong => Some(0.0),
            Outcome::Right => Some(1.0),
        };
        let both = self.of(ours).zip(self.of(theirs));
        let common: Vec<(f64, f64)> =
            both.filter_map(|(ours, theirs)| Some((value(ours)?, value(theirs)?))).collect();
        Comparison::of_means(&common, settings.bootstrap, settings.seed)
    }
}

/// Right answers, questions covered, and all of them.
#[derive(Clone, Copy, Default)]
struct Tally {
    right: u64,
    covered: u64,
    total: u64,
}

impl Tally {
    fn row(self, set: Set<'_>, settings: &EvaluateSettings) -> Score {
        let Tally { right, covered, total } = self;
        let (low, high) = proportion(settings.bootstrap, settings.seed, right, covered);
        Score {
            score: if covered == 0 { f64::NAN } else { right as f64 / covered as f64 },
            low,
            high,
            score_oov_wrong: right as f64 / total as f64,
            covered,
            total,
            ..set.row(Measure::Accuracy)
        }
    }
}
