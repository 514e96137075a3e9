//! Multinomial logistic regression with L2 regularization.
//!
//! Of a text with features x the label is k with probability softmax(W x + b)ₖ. What is minimized is
//!
//! (1/n) Σ −log p(label of text i) + l2 / (2 n) ‖W‖²,
//!
//! which is what other programs write as a sum over texts and C = 1 / l2; b is free. Features are standardized
//! with the means and deviations of the texts that are trained on, so that `l2` means the same for any
//! embeddings; this is folded into W and b instead of a second copy of the features.

use crate::lbfgs::{Stop, minimize};

/// Features of texts, `(texts, dim)` end to end, and the number of the label of each.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// The features.
    pub features: &'a [f32],
    /// Features of a text.
    pub dim: usize,
    /// The labels, `0..classes`.
    pub labels: &'a [u32],
    /// Labels there are.
    pub classes: usize,
}

impl Texts<'_> {
    fn row(&self, text: u32) -> &[f32] {
        &self.features[text as usize * self.dim..][..self.dim]
    }
}

/// A trained classifier: a row of weights and a bias for each class, on features as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// `(classes, dim + 1)`; the bias is the last of a row.
    weights: Vec<f64>,
    dim: usize,
}

const STOP: Stop = Stop { gradient: 1e-5, steps: 500 };

impl Classifier {
    /// Trains on some of the texts.
    pub fn fit(texts: &Texts<'_>, rows: &[u32], l2: f64) -> Classifier {
        let loss = Loss::new(texts, rows, l2);
        let mut weights = vec![0.0; texts.classes * (texts.dim + 1)];
        minimize(&mut weights, STOP, |weights, gradient| loss.at(weights, gradient));
        Classifier { weights: loss.unscaled(&weights), dim: texts.dim }
    }

    /// The most probable class; the first of equals.
    pub fn predict(&self, features: &[f32]) -> u32 {
        let mut best = (0, f64::NEG_INFINITY);
        for (class, weights) in (0..).zip(self.weights.chunks_exact(self.dim + 1)) {
            let score = score(weights, features);
            if score > best.1 {
                best = (class, score);
            }
        }
        best.0
    }
}

fn score(weights: &[f64], features: &[f32]) -> f64 {
    let (weights, bias) = weights.split_at(features.len());
    const LANES: usize = 8;
    let (w_chunks, w_rest) = weights.as_chunks::<LANES>();
    let (x_chunks, x_rest) = features.as_chunks::<LANES>();
    let mut sums = [0.0f64; LANES];
    for (w, x) in w_chunks.iter().zip(x_chunks) {
        for lane in 0..LANES {
            sums[lane] += w[lane] * f64::from(x[lane]);
        }
    }
    let rest: f64 = w_rest.iter().zip(x_rest).map(|(w, &x)| w * f64::from(x)).sum();
    sums.iter().sum::<f64>() + rest + bias[0]
}

/// What is minimized, over some of the texts.
struct Loss<'a> {
    texts: &'a Texts<'a>,
    rows: &'a [u32],
    l2: f64,
    means: Vec<f64>,
    /// One over the standard deviation of each feature; 0 for one that is constant.
    scales: Vec<f64>,
}

impl<'a> Loss<'a> {
    fn new(texts: &'a Texts<'a>, rows: &'a [u32], l2: f64) -> Loss<'a> {
        let n = rows.len().max(1) as f64;
        let mut means = vec![0.0; texts.dim];
        for &row in rows {
            means.iter_mut().zip(texts.row(row)).for_each(|(mean, &x)| *mean += f64::from(x) / n);
        }
        let mut scales = vec![0.0; texts.dim];
        for &row in rows {
            for ((scale, mean), &x) in scales.iter_mut().zip(&means).zip(texts.row(row)) {
                let apart = f64::from(x) - mean;
                *scale += apart * apart / n;
            }
        }
        for scale in &mut scales {
            *scale = if *scale > 1e-14 { scale.sqrt().recip() } else { 0.0 };
        }
        Loss { texts, rows, l2, means, scales }
    }

    /// Weights for features as they are, from those for standardized features.
    fn unscaled(&self, weights: &[f64]) -> Vec<f64> {
        let mut all = Vec::with_capacity(weights.len());
        for row in weights.chunks_exact(self.texts.dim + 1) {
            let (w, bias) = row.split_at(self.texts.dim);
            let mut bias = bias[0];
            for ((w, scale), mean) in w.iter().zip(&self.scales).zip(&self.means) {
                all.push(w * scale);
                bias -= w * scale * mean;
            }
            all.push(bias);
        }
        all
    }

    /// The value, and its gradient.
    fn at(&self, weights: &[f64], gradient: &mut [f64]) -> f64 {
        let (dim, classes) = (self.texts.dim, self.texts.classes);
        let (plain, n) = (self.unscaled(weights), self.rows.len().max(1) as f64);
        gradient.fill(0.0);
        let mut probabilities = vec![0.0; classes];
        let mut value = 0.0;
        for &row in self.rows {
            let features = self.texts.row(row);
            let mut largest = f64::NEG_INFINITY;
            for (p, weights) in probabilities.iter_mut().zip(plain.chunks_exact(dim + 1)) {
                *p = score(weights, features);
                largest = largest.max(*p);
            }
            let label = self.texts.labels[row as usize] as usize;
            let of_label = probabilities[label] - largest;
            let mut sum = 0.0;
            for p in &mut probabilities {
                *p = (*p - largest).exp();
                sum += *p;
            }
            value += (sum.ln() - of_label) / n;
            for (class, gradient) in gradient.chunks_exact_mut(dim + 1).enumerate() {
                let error = (probabilities[class] / sum - f64::from(u8::from(class == label))) / n;
                for (g, &x) in gradient.iter_mut().zip(features) {
                    *g += error * f64::from(x);
                }
                gradient[dim] += error;
            }
        }
        // From features as they are to standardized ones, and the penalty.
        let strength = self.l2 / n;
        for (gradient, weights) in
            gradient.chunks_exact_mut(dim + 1).zip(weights.chunks_exact(dim + 1))
        {
            let of_bias = gradient[dim];
            for (feature, (g, w)) in gradient.iter_mut().zip(weights).take(dim).enumerate() {
                *g = (*g - self.means[feature] * of_bias) * self.scales[feature] + strength * w;
                value += strength / 2.0 * w * w;
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexmill_vocab::Random;
    use proptest::prelude::*;

    fn random(count: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::named(&[seed]);
        (0..count).map(|_| f64::from(random.unit_f32()) * 2.0 - 1.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_gradient_is_that_of_finite_differences(
            seed in 0u64..1000, dim in 1usize..12, classes in 2usize..5, l2 in 0.0f64..3.0,
        ) {
            let n = 20;
            let features: Vec<f32> = random(n * dim, seed).iter().map(|&x| x as f32 + 0.5).collect();
            let labels: Vec<u32> = (0..n).map(|i| (i * i % classes) as u32).collect();
            let texts = Texts { features: &features, dim, labels: &labels, classes };
            let rows: Vec<u32> = (0..n as u32).filter(|row| row % 5 != 1).collect();
            let loss = Loss::new(&texts, &rows, l2);
            let mut weights = random(classes * (dim + 1), seed + 1);
            let mut gradient = vec![0.0; weights.len()];
            let value = loss.at(&weights, &mut gradient);
            prop_assert!(value > 0.0);
            let mut scratch = vec![0.0; weights.len()];
            for i in 0..weights.len() {
                let (before, step) = (weights[i], 1e-6);
                weights[i] = before + step;
                let above = loss.at(&weights, &mut scratch);
                weights[i] = before - step;
                let below = loss.at(&weights, &mut scratch);
                weights[i] = before;
                let slope = (above - below) / (2.0 * step);
                prop_assert!((slope - gradient[i]).abs() < 1e-7, "{}: {} and {}", i, slope, gradient[i]);
            }
        }
    }

    #[test]
    fn the_loss_is_that_of_the_formula() {
        // Two texts of one feature, −1 and 1 standardized; weights ±0.5 and no bias.
        let texts = Texts { features: &[2.0, 4.0], dim: 1, labels: &[0, 1], classes: 2 };
        let loss = Loss::new(&texts, &[0, 1], 2.0);
        let value = loss.at(&[-0.5, 0.0, 0.5, 0.0], &mut [0.0; 4]);
        // Each label has probability 1 / (1 + e⁻¹); the penalty is 2 / (2 · 2) · 0.5.
        let expected = (1.0 + (-1.0f64).exp()).ln() + 0.25;
        assert!((value - expected).abs() < 1e-12, "{value} {expected}");
    }

    #[test]
    fn what_can_be_told_apart_is_told_apart() {
        let mut features = Vec::new();
        let mut labels = Vec::new();
        for (i, noise) in random(300, 3).into_iter().enumerate() {
            let class = i % 3;
            let angle = class as f64 * 2.0 + noise * 0.5;
            // The third feature is constant.
            features.extend([angle.cos() as f32, angle.sin() as f32, 7.0]);
            labels.push(class as u32);
        }
        let texts = Texts { features: &features, dim: 3, labels: &labels, classes: 3 };
        let (train, test): (Vec<u32>, Vec<u32>) = (0..300).partition(|row| row % 2 == 0);
        let classifier = Classifier::fit(&texts, &train, 1.0);
        let right = |rows: &[u32]| {
            let is_right =
                |&&row: &&u32| classifier.predict(texts.row(row)) == labels[row as usize];
            rows.iter().filter(is_right).count()
        };
        assert!(right(&test) >= 148, "{}", right(&test));
        assert_eq!(Classifier::fit(&texts, &train, 1.0), classifier, "the same bits");
        // Without regularization of what can be told apart weights would grow for ever: it ends all the same.
        Classifier::fit(&texts, &train, 0.0);
        // Nothing to train on: all classes are the same.
        assert_eq!(Classifier::fit(&texts, &[], 1.0).predict(&[1.0, 1.0, 1.0]), 0);
    }
}
