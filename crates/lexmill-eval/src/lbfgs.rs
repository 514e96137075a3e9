//! L-BFGS (Liu and Nocedal 1989): minimizes a smooth function by its gradients.
//!
//! The direction is that of the two-loop recursion over the last ten steps (Nocedal and Wright 2006,
//! algorithm 7.4); the step is halved until the function falls enough (Armijo's condition). A pair of step and change of
//! the gradient that does not curve upwards is left out, so that the direction always leads down. One thread,
//! f64, sums in a fixed order: the same bits every time.

/// Steps that are remembered.
const MEMORY: usize = 10;
/// Halvings of a step: below 10⁻¹⁵ of it nothing is left.
const MOST_HALVINGS: usize = 50;

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// Where no element of the gradient is larger than this.
    pub gradient: f64,
    /// After so many steps in any case.
    pub steps: usize,
}

/// Minimizes `function`, which writes its gradient and returns its value, from `x` on, in place. Returns the
/// value at the end.
pub fn minimize(
    x: &mut [f64],
    stop: Stop,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> f64 {
    let mut gradient = vec![0.0; x.len()];
    let mut value = function(x, &mut gradient);
    let mut next = vec![0.0; x.len()];
    let mut next_gradient = vec![0.0; x.len()];
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..stop.steps {
        if !gradient.iter().any(|g| g.abs() > stop.gradient) {
            break;
        }
        let mut direction = direction(&steps, &gradient);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 || !slope.is_finite() {
            // Rounding: down the gradient itself.
            steps.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = dot(&direction, &gradient);
        }
        // The first step can't know the scale; later ones are scaled by what was learned.
        let mut length = if steps.is_empty() { (-slope).sqrt().recip().min(1.0) } else { 1.0 };
        let mut fell = false;
        for _ in 0..MOST_HALVINGS {
            for ((next, x), d) in next.iter_mut().zip(x.iter()).zip(&direction) {
                *next = x + length * d;
            }
            let next_value = function(&next, &mut next_gradient);
            if next_value <= value + 1e-4 * length * slope {
                value = next_value;
                fell = true;
                break;
            }
            length /= 2.0;
        }
        if !fell {
            break;
        }
        let s: Vec<f64> = next.iter().zip(x.iter()).map(|(next, x)| next - x).collect();
        let y: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(next, g)| next - g).collect();
        let curvature = dot(&s, &y);
        if curvature > 1e-12 * dot(&y, &y) {
            if steps.len() == MEMORY {
                steps.remove(0);
            }
            steps.push(Step { s, y, curvature });
        }
        x.copy_from_slice(&next);
        std::mem::swap(&mut gradient, &mut next_gradient);
    }
    value
}

/// A step, the change of the gradient along it, and their product.
struct Step {
    s: Vec<f64>,
    y: Vec<f64>,
    curvature: f64,
}

/// −H g, where H is the inverse Hessian that the steps suggest.
fn direction(steps: &[Step], gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let alpha = dot(&step.s, &q) / step.curvature;
        add(&mut q, -alpha, &step.y);
        alphas.push(alpha);
    }
    if let Some(last) = steps.last() {
        let scale = last.curvature / dot(&last.y, &last.y);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for (step, alpha) in steps.iter().zip(alphas.into_iter().rev()) {
        let beta = dot(&step.y, &q) / step.curvature;
        add(&mut q, alpha - beta, &step.s);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], times: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += times * what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STOP: Stop = Stop { gradient: 1e-9, steps: 1000 };

    #[test]
    fn rosenbrocks_valley() {
        let mut x = [-1.2, 1.0];
        let value = minimize(&mut x, STOP, |x, gradient| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            gradient[0] = -2.0 * a - 400.0 * x[0] * b;
            gradient[1] = 200.0 * b;
            a * a + 100.0 * b * b
        });
        assert!((x[0] - 1.0).abs() < 1e-7 && (x[1] - 1.0).abs() < 1e-7 && value < 1e-12, "{x:?}");
    }

    #[test]
    fn a_function_that_is_not_finite_ends_it() {
        let mut x = [1.0];
        let value = minimize(&mut x, STOP, |_, gradient| {
            gradient[0] = 1.0;
            f64::NAN
        });
        assert!(value.is_nan() && x == [1.0]);
        let mut none: [f64; 0] = [];
        assert_eq!(minimize(&mut none, STOP, |_, _| 3.0), 3.0);
    }

    proptest! {
        #[test]
        fn bowls_of_any_shape(
            bowl in proptest::collection::vec((0.01f64..100.0, -10.0f64..10.0), 1..12),
        ) {
            let mut x = vec![0.0; bowl.len()];
            minimize(&mut x, STOP, |x, gradient| {
                let mut value = 0.0;
                for ((x, g), (scale, centre)) in x.iter().zip(gradient).zip(&bowl) {
                    *g = scale * (x - centre);
                    value += scale * (x - centre) * (x - centre) / 2.0;
                }
                value
            });
            for (x, (_, centre)) in x.iter().zip(&bowl) {
                prop_assert!((x - centre).abs() < 1e-5, "{} for {}", x, centre);
            }
        }
    }
}
