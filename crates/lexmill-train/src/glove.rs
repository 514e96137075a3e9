//! Stage `glove`: global vectors by weighted least squares (Pennington, Socher, Manning, EMNLP 2014).
//!
//! Reads a finished count stage; writes
//!
//! | file | what |
//! | --- | --- |
//! | `parameters.parquet` | [`lexmill_embeddings::model`]: both vectors and biases of each word, and AdaGrad's sums |
//! | `metrics.parquet` | `epoch`, `loss` (mean over the cells of weight · difference² / 2), `cells` |
//! | `scores.parquet` | [`crate::scoring`], if the settings name test sets |
//!
//! The model is w·c + b + b' ≈ ln x for each cell with count x, each weighted by
//! min(1, (x / `x_max`)^`alpha`), with a step of AdaGrad for each cell: `step` has the formulas.
//!
//! Cells come in an order drawn from the seed: strata of the grid, chunks of a shard, cells of a
//! chunk, each shuffled anew in every epoch. Readers decode and shuffle ahead and hand chunks over
//! through bounded channels; a trainer owns its two blocks while it works on a tile. A checkpoint is
//! the whole state between two strata. Threads, memory and interruptions can't show in the result.

mod feed;
mod parameters;
mod settings;
mod step;
mod train;

pub use settings::{BiasStep, GloveSettings};
pub use train::{KIND, VERSION, run};
