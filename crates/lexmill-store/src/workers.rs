//! Threads that share out numbered tasks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The tasks that come to one worker; none any more once another has failed.
#[derive(Debug)]
pub struct Tasks<'a> {
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
pub fn share<T: Send, E: Send>(
    threads: usize,
    tasks: usize,
    worker: impl Fn(Tasks<'_>) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        worker(Tasks { next: &next, failed: &failed, end: tasks })
            .inspect_err(|_| failed.store(true, Ordering::Relaxed))
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.clamp(1, tasks.max(1))).map(|_| scope.spawn(work)).collect();
        let ends: Vec<Result<T, E>> = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        ends.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_until_one_fails() {
        for threads in [1, 3, 200] {
            let ends = share(threads, 100, |tasks| Ok::<_, String>(tasks.collect::<Vec<usize>>()));
            let mut all = ends.unwrap().concat();
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>());
            let failed = share(threads, 100, |mut tasks| match tasks.find(|&task| task == 5) {
                Some(task) => Err(format!("task {task}")),
                None => Ok(()),
            });
            assert_eq!(failed, Err("task 5".to_owned()));
        }
    }
}
