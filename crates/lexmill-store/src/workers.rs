//! Threads that share out numbered tasks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::{Error, Progress};

/// The tasks that come to one worker; none any more once another has failed, or work is to stop.
#[derive(Debug)]
pub struct Tasks<'a> {
    next: &'a AtomicUsize,
    failed: &'a AtomicBool,
    progress: &'a Progress,
    end: usize,
}

impl Iterator for Tasks<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.failed.load(Ordering::Relaxed) || self.progress.is_to_stop() {
            return None;
        }
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|&task| task < self.end)
    }
}

/// Lets `threads` workers take the numbers below `tasks` as they come; returns what each ends with.
///
/// # Errors
/// The first error of a worker; or [`Error::Stopped`] if work is to stop before all tasks were taken.
pub fn share<T: Send, E: Send + From<Error>>(
    threads: usize,
    tasks: usize,
    progress: &Progress,
    worker: impl Fn(Tasks<'_>) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        worker(Tasks { next: &next, failed: &failed, progress, end: tasks })
            .inspect_err(|_| failed.store(true, Ordering::Relaxed))
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.clamp(1, tasks.max(1))).map(|_| scope.spawn(work)).collect();
        let ends: Vec<Result<T, E>> = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        let ends = ends.into_iter().collect::<Result<Vec<T>, E>>()?;
        if next.load(Ordering::Relaxed) < tasks {
            progress.go_on()?;
        }
        Ok(ends)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Stop;

    #[test]
    fn every_task_is_done_once_until_one_fails() {
        for threads in [1, 3, 200] {
            let (progress, stop) = (Progress::new(), Stop::default());
            let all_of = |tasks: Tasks<'_>| Ok::<_, Error>(tasks.collect::<Vec<usize>>());
            let ends = share(threads, 100, &progress, all_of);
            let mut all = ends.unwrap().concat();
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>());
            let failed =
                share(threads, 100, &progress, |mut tasks| match tasks.find(|&task| task == 5) {
                    Some(task) => Err(Error::corrupt(Path::new("x"), format!("task {task}"))),
                    None => Ok(()),
                });
            assert!(failed.unwrap_err().to_string().contains("task 5"));
            // Asked to stop in the middle; a task that was taken is done.
            let progress = Progress::until(stop.clone());
            let stopped = share(threads, 100, &progress, |tasks| {
                tasks.filter(|&task| task == 50).for_each(|_| stop.ask());
                Ok::<_, Error>(())
            });
            assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
        }
    }
}
