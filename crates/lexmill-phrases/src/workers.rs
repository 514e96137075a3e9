//! Threads that share out numbered tasks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::Result;

/// The tasks that come to one worker; none any more once another has failed.
pub(crate) struct Tasks<'a> {
    next: &'a AtomicUsize,
    failed: &'a AtomicBool,
    end: usize,
}

impl Iterator for Tasks<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.failed.load(Ordering::Relaxed) {
            return None;
        }
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|&task| task < self.end)
    }
}

/// Lets `threads` workers take the numbers below `tasks` as they come; returns what each ends with.
///
/// # Errors
/// The first error of a worker.
pub(crate) fn share<T: Send>(
    threads: usize,
    tasks: usize,
    worker: impl Fn(Tasks<'_>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        worker(Tasks { next: &next, failed: &failed, end: tasks })
            .inspect_err(|_| failed.store(true, Ordering::Relaxed))
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.clamp(1, tasks.max(1))).map(|_| scope.spawn(work)).collect();
        let ends: Vec<Result<T>> = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        ends.into_iter().collect()
    })
}
