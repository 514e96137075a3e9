//! Word similarity and analogy scores with coverage and intervals.
