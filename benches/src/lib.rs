//! Measurements of every bar; see RESULTS.md.
