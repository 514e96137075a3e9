//! The mean and the principal components of vectors.

use nalgebra::DMatrix;
use rayon::prelude::*;

/// The first `count` principal components of vectors `(rows, dim)`, end to end, by descending variance;
/// each has length 1.
///
/// # Panics
/// If `dim` is 0 or `vectors` are no whole vectors.
pub fn principal_components(vectors: &[f32], dim: usize, count: usize) -> Vec<Vec<f64>> {
    assert_eq!(vectors.len() % dim, 0, "whole vectors");
    let mut moments = Moments::new(dim, true);
    moments.add(vectors);
    moments.components(count)
}

/// Sums over vectors: of themselves, and of their products by dimension.
pub(crate) struct Moments {
    dim: usize,
    rows: u64,
    sums: Vec<f64>,
    /// `(dim, dim)`, of which the upper triangle is filled; empty if it is not wanted.
    products: Vec<f64>,
}

impl Moments {
    pub(crate) fn new(dim: usize, products: bool) -> Moments {
        let products = vec![0.0; if products { dim * dim } else { 0 }];
        Moments { dim, rows: 0, sums: vec![0.0; dim], products }
    }

    /// Adds vectors, always in their order, whatever the number of threads.
    pub(crate) fn add(&mut self, vectors: &[f32]) {
        let dim = self.dim;
        self.rows += (vectors.len() / dim.max(1)) as u64;
        for vector in vectors.chunks_exact(dim.max(1)) {
            for (sum, &x) in self.sums.iter_mut().zip(vector) {
                *sum += f64::from(x);
            }
        }
        self.products.par_chunks_mut(dim.max(1)).enumerate().for_each(|(i, row)| {
            for vector in vectors.chunks_exact(dim) {
                let x = f64::from(vector[i]);
                for (sum, &y) in row[i..].iter_mut().zip(&vector[i..]) {
                    *sum += x * f64::from(y);
                }
            }
        });
    }

    pub(crate) fn mean(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.rows.max(1) as f64).collect()
    }

    /// The first principal components, by descending variance.
    pub(crate) fn components(&self, count: usize) -> Vec<Vec<f64>> {
        if self.products.is_empty() || count == 0 {
            return Vec::new();
        }
        let (dim, mean, rows) = (self.dim, self.mean(), self.rows.max(1) as f64);
        let covariance = DMatrix::from_fn(dim, dim, |i, j| {
            let (low, high) = (i.min(j), i.max(j));
            self.products[low * dim + high] / rows - mean[i] * mean[j]
        });
        let found = covariance.symmetric_eigen();
        let mut order: Vec<usize> = (0..dim).collect();
        order.sort_by(|&a, &b| found.eigenvalues[b].total_cmp(&found.eigenvalues[a]));
        let column = |&i: &usize| found.eigenvectors.column(i).iter().copied().collect();
        order.iter().take(count).map(column).collect()
    }
}
