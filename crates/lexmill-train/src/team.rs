//! Threads that go through the phases of short pieces of work together.
//!
//! Where a phase takes some hundred microseconds, waking threads for each would cost as much again.
//! Here all of them stay, and look for a while before they sleep. Each has tasks of its own, the same
//! in every round, so that what they work on stays in its cache. When it is through with these it
//! helps those who are far behind.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use crate::grid::{Tile, Turns};

/// The threads of rayon's pool.
pub(crate) struct Team {
    size: usize,
    turns: Turns,
    /// The last phase that each task was taken in.
    taken: Vec<AtomicUsize>,
    /// How often somebody was through with a phase.
    arrivals: AtomicUsize,
}

/// One of them.
pub(crate) struct Member<'a> {
    team: &'a Team,
    index: usize,
    /// Phases begun.
    phase: usize,
    /// Strata of tiles that are done.
    strata: u32,
}

impl Team {
    /// For phases of at most `tasks` tasks, or of tiles of `blocks` × `blocks` blocks.
    pub(crate) fn new(tasks: usize, blocks: u32) -> Team {
        let tasks = tasks.max((blocks * blocks) as usize);
        Team {
            size: rayon::current_num_threads(),
            turns: Turns::new(blocks, 0),
            taken: (0..tasks).map(|_| AtomicUsize::new(0)).collect(),
            arrivals: AtomicUsize::new(0),
        }
    }

    /// Shares out blocks by how much work each is: the largest first, to the member who has least. Of
    /// equal ones block i goes to member i mod size.
    pub(crate) fn owners(&self, work: &[u64]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..work.len()).collect();
        order.sort_by_key(|&block| std::cmp::Reverse(work[block]));
        let (mut owners, mut loads) = (vec![0; work.len()], vec![0u64; self.size]);
        for block in order {
            let least = (0..self.size).min_by_key(|&member| loads[member]).unwrap_or(0);
            owners[block] = least;
            loads[least] += work[block].max(1);
        }
        owners
    }

    /// Calls `work` on every thread; they have to begin the same phases in the same order. Returns what
    /// it returned.
    pub(crate) fn run<T: Send>(&self, work: impl Fn(&mut Member<'_>) -> T + Sync) -> Vec<T> {
        rayon::broadcast(|context| {
            let _guard = self.turns.stop_on_panic();
            work(&mut Member { team: self, index: context.index(), phase: 0, strata: 0 })
        })
    }
}

impl Member<'_> {
    /// Calls `f` with each of the tasks `0..tasks`, on one thread or another: task i is the own of
    /// member i mod size, who is helped with it if it has not even begun the one before. Returns when
    /// all are done; false if training was stopped.
    pub(crate) fn tasks(&mut self, tasks: usize, mut f: impl FnMut(usize)) -> bool {
        self.phase += 1;
        let size = self.team.size;
        for task in (self.index..tasks).step_by(size) {
            if self.take(task) {
                f(task);
            }
        }
        for task in (size..tasks).rev().filter(|task| task % size != self.index) {
            if self.is_left(task - size) && self.take(task) {
                f(task);
            }
        }
        self.meet()
    }

    /// Calls `f` with the number of each tile and the tile, in the order of strata in each of its
    /// blocks; they are sorted by stratum. Of each column block the tiles are the own of one member
    /// ([`owners`](Team::owners)), who is helped as with tasks. Returns when all are done; false if
    /// training was stopped.
    pub(crate) fn tiles(
        &mut self,
        tiles: &[Tile],
        owners: &[usize],
        mut f: impl FnMut(usize, Tile),
    ) -> bool {
        self.phase += 1;
        let owner = |tile: &Tile| owners[tile.column_block as usize];
        let mut train = |i: usize| {
            if !self.take(i) {
                return true;
            }
            let at = Tile { stratum: self.strata + tiles[i].stratum, ..tiles[i] };
            let turn = self.team.turns.wait(at);
            if turn {
                f(i, tiles[i]);
                self.team.turns.done(at);
            }
            turn
        };
        // Each takes its own stratum by stratum, so that somebody works on what is waited for, or will.
        for (i, tile) in tiles.iter().enumerate() {
            if owner(tile) == self.index && !train(i) {
                return false;
            }
        }
        for (i, tile) in tiles.iter().enumerate().rev() {
            let before = tiles[..i].iter().rposition(|other| owner(other) == owner(tile));
            if before.is_some_and(|before| self.is_left(before)) && !train(i) {
                return false;
            }
        }
        self.strata += tiles.last().map_or(0, |tile| tile.stratum + 1);
        self.meet()
    }

    /// Whether this is one of them that is always there.
    pub(crate) fn is_first(&self) -> bool {
        self.index == 0
    }

    /// Whether nobody has taken a task yet.
    fn is_left(&self, task: usize) -> bool {
        self.team.taken[task].load(SeqCst) < self.phase
    }

    fn take(&self, task: usize) -> bool {
        self.is_left(task) && self.team.taken[task].fetch_max(self.phase, SeqCst) < self.phase
    }

    fn meet(&self) -> bool {
        let all = self.phase * self.team.size;
        self.team.arrivals.fetch_add(1, SeqCst);
        self.team.turns.wake();
        self.team.turns.wait_until(|| self.team.arrivals.load(SeqCst) >= all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn every_task_is_done_once_before_the_next_phase() {
        for threads in [1, 2, 3, 5] {
            pool(threads).install(|| {
                let team = Team::new(7, 1);
                let done: Vec<AtomicUsize> = (0..7).map(|_| AtomicUsize::new(0)).collect();
                team.run(|member| {
                    for phase in 0..200 {
                        // Fewer tasks now and then.
                        let tasks = 1 + phase % 7;
                        let before = |task: usize| (0..phase).filter(|p| task < 1 + p % 7).count();
                        let all = member.tasks(tasks, |task| {
                            assert_eq!(done[task].fetch_add(1, SeqCst), before(task));
                            let others = (0..7).filter(|&other| other >= tasks);
                            for other in others {
                                assert_eq!(done[other].load(SeqCst), before(other));
                            }
                        });
                        assert!(all);
                    }
                });
            });
        }
    }

    #[test]
    fn blocks_see_their_tiles_in_one_order() {
        let blocks = 4u32;
        let tile = |stratum, row_block| Tile {
            row_block,
            column_block: (row_block + stratum) % blocks,
            stratum,
        };
        let tiles: Vec<Tile> =
            (0..3).flat_map(|stratum| (0..blocks).map(move |row| tile(stratum, row))).collect();
        let seen = |threads: usize| {
            pool(threads).install(|| {
                let team = Team::new(0, blocks);
                let owners = team.owners(&[1, 5, 1, 3]);
                let empty = || Mutex::new(Vec::new());
                let rows: Vec<_> = (0..blocks).map(|_| empty()).collect();
                let columns: Vec<_> = (0..blocks).map(|_| empty()).collect();
                team.run(|member| {
                    for round in 0..50 {
                        let all = member.tiles(&tiles, &owners, |i, tile| {
                            // Nobody else has them.
                            let mut row = rows[tile.row_block as usize].try_lock().unwrap();
                            let mut column =
                                columns[tile.column_block as usize].try_lock().unwrap();
                            row.push((round, i));
                            column.push((round, i));
                        });
                        assert!(all);
                    }
                });
                let all = rows.into_iter().chain(columns);
                all.map(|seen| seen.into_inner().unwrap()).collect::<Vec<_>>()
            })
        };
        assert_eq!(seen(1), seen(4));
    }

    #[test]
    fn blocks_are_shared_out_by_their_work() {
        pool(3).install(|| {
            let team = Team::new(0, 6);
            for equal in [0, 1, 7] {
                assert_eq!(team.owners(&[equal; 6]), [0, 1, 2, 0, 1, 2]);
            }
            assert_eq!(team.owners(&[9, 1, 2, 4, 1, 3]), [0, 1, 2, 1, 1, 2]);
        });
    }

    #[test]
    fn a_panic_stops_all() {
        let panicked = std::panic::catch_unwind(|| {
            pool(3).install(|| {
                Team::new(6, 1).run(|member| {
                    while member.tasks(6, |task| assert!(task != 4, "on purpose")) {}
                });
            });
        });
        assert!(panicked.is_err());
    }
}
