//! Looking into finished tables through Polars.
