//! Token shards to portions of tokens, and these to the tokens that are trained on.

use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use lexmill_store::Error as StoreError;
use lexmill_store::table::tokens::{Tokens, read_token_shard};
use lexmill_tokenize::shards::Shard;
use lexmill_vocab::{Random, Vocabulary};
use rayon::prelude::*;

use super::stream;
use crate::Result;

/// Marks the start of a document, among ids.
pub(crate) const START: u32 = u32::MAX;
const UNKNOWN: u32 = u32::MAX;
/// Tokens that one worker filters at a time.
const JOB_TOKENS: usize = 1 << 16;

/// A shard in memory.
pub(crate) type Loaded = Arc<Tokens>;

/// Reads shards from the one that holds token `from` of epoch `first` to the end of the last epoch,
/// and sends them. Ends early, in silence, if nobody takes them.
pub(crate) fn read(
    shards: &[Shard],
    vocabulary: &Vocabulary,
    epochs: Range<u32>,
    from: u64,
    to: &Sender<Result<Loaded>>,
) {
    let mut skip = from;
    // One without tokens at the end would come to the next epoch, but not to a run that is taken up
    // again there.
    let end = shards.iter().rposition(|shard| shard.tokens > 0).map_or(0, |last| last + 1);
    for _ in epochs {
        for shard in &shards[..end] {
            if skip > 0 && skip >= shard.tokens {
                skip -= shard.tokens;
                continue;
            }
            skip = 0;
            let loaded = load(shard, vocabulary);
            let failed = loaded.is_err();
            if to.send(loaded).is_err() || failed {
                return;
            }
        }
    }
}

fn load(shard: &Shard, vocabulary: &Vocabulary) -> Result<Loaded> {
    let mut tokens = Tokens::default();
    read_token_shard(&shard.path, |word| vocabulary.id(word).unwrap_or(UNKNOWN), &mut tokens)?;
    if tokens.ids.len() as u64 != shard.tokens {
        let (found, expected) = (tokens.ids.len(), shard.tokens);
        let problem = format!("it has {found} tokens where its manifest says {expected}");
        return Err(StoreError::corrupt(&shard.path, problem).into());
    }
    Ok(Arc::new(tokens))
}

/// The tokens of an epoch, cut into portions.
pub(crate) struct Portions {
    shards: Receiver<Result<Loaded>>,
    current: Option<(Loaded, usize)>,
    /// Tokens of the epoch that are left.
    left: u64,
}

/// Consecutive tokens: ranges of shards.
pub(crate) type Portion = Vec<(Loaded, Range<usize>)>;

impl Portions {
    /// From token `from` of an epoch on; `shards` comes from [`read`], with the same `from`.
    pub(crate) fn new(shards: Receiver<Result<Loaded>>, list: &[Shard], from: u64) -> Portions {
        let all: u64 = list.iter().map(|shard| shard.tokens).sum();
        let mut before = 0;
        for shard in list {
            if before + shard.tokens > from {
                break;
            }
            before += shard.tokens;
        }
        // The first shard to come begins at token `before`.
        let mut portions = Portions { shards, current: None, left: all - before };
        portions.skip_in_first((from - before) as usize);
        portions
    }

    fn skip_in_first(&mut self, tokens: usize) {
        if tokens > 0 {
            self.current = Some((Arc::new(Tokens::default()), tokens));
        }
    }

    /// Begins the next epoch.
    pub(crate) fn next_epoch(&mut self, list: &[Shard]) {
        self.left = list.iter().map(|shard| shard.tokens).sum();
    }

    /// The next `tokens` tokens, or what is left of the epoch.
    pub(crate) fn next(&mut self, tokens: u64) -> Result<Portion> {
        let mut portion = Vec::new();
        let mut wanted = tokens as usize;
        while wanted > 0 && self.left > 0 {
            let (shard, start) = match self.current.take() {
                Some((shard, start)) if start < shard.ids.len() => (shard, start),
                other => {
                    let start = other.map_or(0, |(shard, start)| start - shard.ids.len());
                    match self.shards.recv() {
                        Ok(shard) => {
                            self.left -= start as u64;
                            (shard?, start)
                        }
                        // Why it ended early it has sent before, and that has ended the run.
                        Err(_) => panic!("the reader of shards is there until all are read"),
                    }
                }
            };
            let end = shard.ids.len().min(start + wanted);
            wanted -= end - start;
            self.left -= (end - start) as u64;
            portion.push((shard.clone(), start..end));
            self.current = Some((shard, end)).filter(|(shard, end)| *end < shard.ids.len());
        }
        Ok(portion)
    }
}

/// Which tokens are kept.
pub(crate) struct Filter {
    /// For each word: kept if 32 random bits are below this.
    keep: Vec<u64>,
    always: bool,
}

impl Filter {
    /// Subsampling with threshold `sample`: a word of frequency f stays with probability
    /// √(t/f) + t/f, as in the original program; 0 keeps all. What occurs once stays in any case: of a
    /// text of less than 1/t words hardly anything would be left.
    pub(crate) fn new(vocabulary: &Vocabulary, sample: f64) -> Filter {
        let threshold = (sample * vocabulary.tokens() as f64).max(1.0);
        let keep = |&count: &u64| {
            let ratio = threshold / count.max(1) as f64;
            let probability = if sample > 0.0 { ratio.sqrt() + ratio } else { 1.0 };
            (probability.min(1.0) * 4_294_967_296.0) as u64
        };
        Filter { keep: vocabulary.counts().iter().map(keep).collect(), always: sample <= 0.0 }
    }

    /// How many of each word are kept, about.
    pub(crate) fn kept(&self, vocabulary: &Vocabulary) -> Vec<u64> {
        let kept = |(&count, &keep): (&u64, &u64)| (u128::from(count) * u128::from(keep)) >> 32;
        vocabulary.counts().iter().zip(&self.keep).map(kept).map(|kept| kept as u64).collect()
    }

    /// The tokens of a portion that are in the vocabulary and stay, with [`START`] before each
    /// document. `name` names the random numbers.
    pub(crate) fn apply(&self, portion: &Portion, name: [u64; 3]) -> Vec<u32> {
        let mut jobs = Vec::new();
        for (shard, range) in portion {
            // One job at least: a shard without tokens may hold the mark of a document that begins
            // with the next.
            for start in (range.start..range.end.max(range.start + 1)).step_by(JOB_TOKENS) {
                jobs.push((shard, start..range.end.min(start + JOB_TOKENS)));
            }
        }
        let kept: Vec<Vec<u32>> = (0..jobs.len())
            .into_par_iter()
            .map(|job| {
                let (shard, range) = &jobs[job];
                let [seed, epoch, portion] = name;
                let random =
                    Random::named(&[seed, stream::SUBSAMPLING, epoch, portion, job as u64]);
                self.filter(shard, range.clone(), random)
            })
            .collect();
        kept.concat()
    }

    fn filter(&self, shard: &Tokens, range: Range<usize>, mut random: Random) -> Vec<u32> {
        let mut kept = Vec::with_capacity(range.len() + 16);
        let threshold = |id: u32| if self.always { u64::MAX } else { self.keep[id as usize] };
        let mut row = shard.ends.partition_point(|&end| end < range.start);
        while row < shard.ends.len() {
            let start = if row == 0 { 0 } else { shard.ends[row - 1] };
            let end = shard.ends[row];
            let last = range.end == shard.ids.len() && start == range.end;
            if start >= range.end && !last {
                break;
            }
            if shard.parts[row] == 0 && start >= range.start {
                kept.push(START);
            }
            let first = start.max(range.start);
            let ids = &shard.ids[first..end.min(range.end).max(first)];
            let mut count = kept.len();
            kept.resize(count + ids.len(), 0);
            for &id in ids {
                // Written in any case, since a branch would be guessed wrong half of the time.
                kept[count] = id;
                count += usize::from(id != UNKNOWN && random.bits() >> 32 < threshold(id));
            }
            kept.truncate(count);
            row += 1;
        }
        kept
    }
}

/// Calls `f` with each context word of the center at `center` that stands at most `reach` words away
/// in the same document: those before it, nearest first, then those after it.
#[inline(always)]
pub(crate) fn contexts(kept: &[u32], center: usize, reach: usize, mut f: impl FnMut(u32)) {
    for &word in kept[center.saturating_sub(reach)..center].iter().rev() {
        if word == START {
            break;
        }
        f(word);
    }
    for &word in &kept[center + 1..kept.len().min(center + 1 + reach)] {
        if word == START {
            break;
        }
        f(word);
    }
}

#[cfg(test)]
mod tests {
    use lexmill_vocab::WordCount;

    use super::*;

    /// Rows as (part, tokens).
    fn shard(rows: &[(u32, &[u32])]) -> Loaded {
        let mut tokens = Tokens::default();
        for (part, ids) in rows {
            tokens.ids.extend_from_slice(ids);
            tokens.ends.push(tokens.ids.len());
            tokens.parts.push(*part);
        }
        Arc::new(tokens)
    }

    fn list(shards: &[Loaded]) -> Vec<Shard> {
        let shard = |tokens: &Loaded| Shard {
            name: String::new(),
            path: Default::default(),
            hash: String::new(),
            words: Default::default(),
            tokens: tokens.ids.len() as u64,
            documents: 0,
            continued: false,
        };
        shards.iter().map(shard).collect()
    }

    fn vocabulary(counts: &[u64]) -> Vocabulary {
        let word = |(i, &count): (usize, &u64)| WordCount { word: format!("{i}"), count };
        Vocabulary::ranked(counts.iter().enumerate().map(word).collect(), None, &[])
    }

    /// All portions from token `from` on, as kept tokens; shards come as `read` sends them.
    fn kept(shards: &[Loaded], portion: u64, from: u64) -> Vec<Vec<u32>> {
        let list = list(shards);
        let (to, receiver) = crossbeam_channel::bounded(shards.len());
        let mut skip = from;
        for (tokens, shard) in shards.iter().zip(&list) {
            if skip > 0 && skip >= shard.tokens {
                skip -= shard.tokens;
                continue;
            }
            skip = 0;
            to.send(Ok(tokens.clone())).unwrap();
        }
        drop(to);
        let filter = Filter::new(&vocabulary(&[5; 100]), 0.0);
        let mut portions = Portions::new(receiver, &list, from);
        let all: u64 = list.iter().map(|shard| shard.tokens).sum();
        let count = (all - from).div_ceil(portion);
        (0..count).map(|_| filter.apply(&portions.next(portion).unwrap(), [1, 0, 0])).collect()
    }

    #[test]
    fn portions_hold_all_tokens_whatever_their_size_and_start() {
        let shards = [
            shard(&[(0, &[1, 2, 3]), (0, &[UNKNOWN, 4]), (0, &[])]),
            shard(&[(1, &[5, 6]), (0, &[7])]),
            shard(&[(0, &[])]),
            shard(&[(1, &[8, UNKNOWN, 9, 10])]),
        ];
        let whole = [START, 1, 2, 3, START, 4, START, 5, 6, START, 7, START, 8, 9, 10].as_slice();
        for portion in 1..=14 {
            let all = kept(&shards, portion, 0);
            assert_eq!(all.concat(), whole, "portions of {portion}");
            // Taken up again anywhere, the rest is the same.
            for done in 1..all.len() {
                let rest = kept(&shards, portion, done as u64 * portion);
                assert_eq!(rest.concat(), all[done..].concat(), "{portion} from {done}");
            }
        }
    }

    #[test]
    fn subsampling_keeps_words_by_their_frequency() {
        let vocabulary = vocabulary(&[900_000, 90_000, 9_000, 1_000]);
        let (sample, tokens) = (1e-3, 1_000_000.0);
        let filter = Filter::new(&vocabulary, sample);
        for (id, &count) in vocabulary.counts().iter().enumerate() {
            let text = shard(&[(0, &[id as u32; 50_000])]);
            let portion = vec![(text.clone(), 0..text.ids.len())];
            let kept = filter.apply(&portion, [1, 2, 3]).len() - 1;
            let frequency = count as f64 / tokens;
            let expected: f64 = ((sample / frequency).sqrt() + sample / frequency).min(1.0);
            assert!((kept as f64 / 50_000.0 - expected).abs() < 0.01, "{id}: {kept} {expected}");
        }
    }

    #[test]
    fn contexts_end_with_the_document_and_the_window() {
        let kept = [START, 1, 2, 3, 4, START, 5, 6];
        let of = |center: usize, reach: usize| {
            let mut found = Vec::new();
            contexts(&kept, center, reach, |word| found.push(word));
            found
        };
        assert_eq!(of(3, 1), [2, 4]);
        assert_eq!(of(3, 9), [2, 1, 4]);
        assert_eq!(of(1, 2), [2, 3]);
        assert_eq!(of(7, 5), [5]);
    }
}
