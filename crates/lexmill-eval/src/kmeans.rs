//! Spherical k-means (Dhillon and Modha 2001): clusters of unit vectors by cosine.
//!
//! The objective is Σ cos(x, centroid of its cluster), a centroid being the sum of its cluster's vectors,
//! scaled to length 1. A start draws centroids by k-means++ (Arthur and Vassilvitskii 2007), with
//! 1 − cosine, half the squared distance; then points go to their nearest centroid and centroids move, until no point
//! moves. Of several starts the one with the largest objective is taken, the first of equals. A cluster that
//! loses its last point gets the point that lies farthest from its own centroid.
//!
//! Starts go to threads; what a start gives depends on its number and the seed alone.

use lexmill_embeddings::dot;
use lexmill_vocab::Random;
use rayon::prelude::*;

/// Starts of which the best is taken.
pub const STARTS: u64 = 10;
/// Rounds after which a start ends in any case. Starts on sets of words end after some ten.
const MOST_ROUNDS: usize = 100;
/// Names the random stream.
const KMEANS: u64 = 0x6B6D_6561_6E73;

/// The cluster of each point, `0..clusters`: of unit vectors end to end, `(points, dim)`. On the threads of
/// the current rayon pool.
///
/// # Panics
/// If there are no clusters but points, or `vectors` does not hold whole vectors.
pub fn spherical_kmeans(vectors: &[f32], dim: usize, clusters: usize, seed: u64) -> Vec<u32> {
    if vectors.is_empty() {
        return Vec::new();
    }
    assert!(clusters > 0 && vectors.len().is_multiple_of(dim), "whole vectors to clusters");
    let points: Vec<&[f32]> = vectors.chunks_exact(dim).collect();
    let clusters = clusters.min(points.len());
    let starts: Vec<(f64, Vec<u32>)> = (0..STARTS)
        .into_par_iter()
        .map(|start| one_start(&points, clusters, &mut Random::named(&[seed, KMEANS, start])))
        .collect();
    let mut best = (f64::NEG_INFINITY, Vec::new());
    for start in starts {
        if best.1.is_empty() || start.0 > best.0 {
            best = start;
        }
    }
    best.1
}

/// The objective and the clusters that a start ends in.
fn one_start(points: &[&[f32]], clusters: usize, random: &mut Random) -> (f64, Vec<u32>) {
    let mut centroids = drawn(points, clusters, random);
    let mut of: Vec<u32> = vec![0; points.len()];
    let mut cosines = vec![0.0f32; points.len()];
    let mut objective = f64::NEG_INFINITY;
    for round in 0..MOST_ROUNDS {
        let mut moved = round == 0;
        for ((point, of), cosine) in points.iter().zip(&mut of).zip(&mut cosines) {
            let (nearest, largest) = nearest(point, &centroids);
            moved |= *of != nearest;
            (*of, *cosine) = (nearest, largest);
        }
        moved |= fill_empty(&mut of, &mut cosines, clusters);
        objective = cosines.iter().map(|&cosine| f64::from(cosine)).sum();
        if !moved {
            break;
        }
        centroids = means(points, &of, clusters);
    }
    (objective, of)
}

/// The first of the nearest centroids, and the cosine.
fn nearest(point: &[f32], centroids: &[Vec<f32>]) -> (u32, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (number, centroid) in (0..).zip(centroids) {
        let cosine = dot(point, centroid);
        if cosine > best.1 {
            best = (number, cosine);
        }
    }
    best
}

/// Gives each empty cluster the point that lies farthest from its centroid, of clusters with other points.
fn fill_empty(of: &mut [u32], cosines: &mut [f32], clusters: usize) -> bool {
    let mut sizes = vec![0usize; clusters];
    of.iter().for_each(|&cluster| sizes[cluster as usize] += 1);
    let mut filled = false;
    for empty in 0..clusters {
        if sizes[empty] > 0 {
            continue;
        }
        let spare = (0..of.len()).filter(|&i| sizes[of[i] as usize] > 1);
        let Some(farthest) = spare.min_by(|&i, &j| cosines[i].total_cmp(&cosines[j])) else {
            break;
        };
        sizes[of[farthest] as usize] -= 1;
        sizes[empty] = 1;
        (of[farthest], cosines[farthest]) = (empty as u32, 1.0);
        filled = true;
    }
    filled
}

/// Points drawn as centroids, far from each other.
fn drawn(points: &[&[f32]], clusters: usize, random: &mut Random) -> Vec<Vec<f32>> {
    let mut distances = vec![1.0f64; points.len()];
    let mut centroids: Vec<Vec<f32>> = Vec::with_capacity(clusters);
    while centroids.len() < clusters {
        let total: f64 = distances.iter().sum();
        let unit = (random.bits() >> 11) as f64 / (1u64 << 53) as f64;
        let mut left = unit * total;
        // Where all points coincide with centroids, or rounding leaves something: the last.
        let mut place = points.len() - 1;
        for (i, &distance) in distances.iter().enumerate() {
            left -= distance;
            if left < 0.0 {
                place = i;
                break;
            }
        }
        let centroid = points[place];
        for (distance, point) in distances.iter_mut().zip(points) {
            let to_this = f64::from(1.0 - dot(point, centroid)).max(0.0);
            *distance = distance.min(to_this);
        }
        distances[place] = 0.0;
        centroids.push(centroid.to_vec());
    }
    centroids
}

/// The centroids of clusters, scaled to length 1.
fn means(points: &[&[f32]], of: &[u32], clusters: usize) -> Vec<Vec<f32>> {
    let dim = points[0].len();
    let mut sums = vec![vec![0.0f64; dim]; clusters];
    for (point, &cluster) in points.iter().zip(of) {
        for (sum, &x) in sums[cluster as usize].iter_mut().zip(*point) {
            *sum += f64::from(x);
        }
    }
    let scaled = |sum: Vec<f64>| {
        let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        let scale = if length > 0.0 { length.recip() } else { 0.0 };
        sum.into_iter().map(|x| (x * scale) as f32).collect()
    };
    sums.into_iter().map(scaled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(angles: &[f32]) -> Vec<f32> {
        angles.iter().flat_map(|angle| [angle.cos(), angle.sin()]).collect()
    }

    fn objective(points: &[f32], of: &[u32], clusters: usize) -> f64 {
        let lengths = (0..clusters as u32).map(|cluster| {
            let mut sum = [0.0f64; 2];
            for (point, _) in points.chunks(2).zip(of).filter(|(_, of)| **of == cluster) {
                sum = [sum[0] + f64::from(point[0]), sum[1] + f64::from(point[1])];
            }
            sum[0].hypot(sum[1])
        });
        lengths.sum()
    }

    #[test]
    fn groups_are_found() {
        let points = unit(&[0.0, 2.0, 0.1, 4.1, 2.1, 4.0, 0.2]);
        let of = spherical_kmeans(&points, 2, 3, 1);
        let same = |i: usize, j: usize| of[i] == of[j];
        assert!(same(0, 2) && same(0, 6) && same(1, 4) && same(3, 5), "{of:?}");
        assert!(!same(0, 1) && !same(1, 3) && !same(0, 3), "{of:?}");
    }

    #[test]
    fn odd_inputs() {
        assert!(spherical_kmeans(&[], 2, 3, 1).is_empty());
        // More clusters than points, the same point again and again, vectors of zeros.
        assert_eq!(spherical_kmeans(&unit(&[1.0]), 2, 3, 1), [0]);
        let of = spherical_kmeans(&unit(&[1.0; 5]), 2, 2, 1);
        assert!(of.contains(&0) && of.contains(&1), "no cluster is empty: {of:?}");
        let of = spherical_kmeans(&[0.0; 8], 2, 2, 1);
        assert!(of.len() == 4 && of.iter().all(|&cluster| cluster < 2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Against all ways to cut a few points in two; the best of ten starts is nearly always the best.
        #[test]
        fn near_the_best_of_all_clusters(angles in proptest::collection::vec(0.0f32..6.2, 2..9)) {
            let points = unit(&angles);
            let found = spherical_kmeans(&points, 2, 2, 7);
            prop_assert!(found.contains(&0) && found.contains(&1));
            let best = (1..(1u32 << angles.len()) - 1)
                .map(|bits| {
                    let of: Vec<u32> = (0..angles.len()).map(|i| bits >> i & 1).collect();
                    objective(&points, &of, 2)
                })
                .fold(0.0, f64::max);
            let ours = objective(&points, &found, 2);
            prop_assert!(ours <= best + 1e-5 && ours > 0.93 * best, "{} of {}", ours, best);
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            prop_assert_eq!(one.install(|| spherical_kmeans(&points, 2, 2, 7)), found);
        }
    }
}
