//! Pipeline definition files: validate, plan, run, resume.
//!
//! [`Definition::parse`] reads a file and collects every mistake in it with its place. [`Plan::make`]
//! says for each stage whether its result is there, and if not, why. [`run`] does what is not done.
//!
//! A stage's result depends on its kind and algorithm version, its settings, and the content of its
//! inputs. A flag (threads, memory) is in none of them.

mod definition;
mod disk;
mod epoch_sets;
mod error;
mod estimate;
mod fields;
mod kinds;
mod plan;
mod run;
mod tokens;
mod verify;

pub use definition::{Definition, Problem, Stage, Test, read_value, render_problems};
pub use disk::{Room, needed};
pub use error::{Error, Result};
pub use estimate::Estimate;
pub use fields::{Field, fields};
pub use kinds::{KINDS, Kind, Settings};
pub use plan::{Condition, Plan, PlannedStage, resolve_selection};
pub use run::{Observer, Status, default_directory, read_status, repair, run, run_stage, watch};
pub use tokens::{TestResult, preview_stage, run_tests};
pub use verify::{Verification, VerifiedStage, verify};
