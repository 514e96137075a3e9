//! The order in which the cells of a grid are trained, so that workers share nothing.
//!
//! A grid has B × B tiles. In one *stratum* the tiles are (r, (r + s) mod B) for all r: no two touch
//! the same row block or the same column block, so each can be trained by a worker that owns its two
//! blocks (Gemulla et al., KDD 2011). The strata of an epoch come in an order drawn from the seed.
//!
//! A tile may begin as soon as the tiles before it in its row block and in its column block have
//! ended; there are no barriers. Each block sees its tiles in one order whatever the number of
//! workers, and so the result does not depend on it.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::{Condvar, Mutex};

use lexmill_vocab::Random;

/// A tile to be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) row_block: u32,
    pub(crate) column_block: u32,
    /// The stratum's place in its epoch.
    pub(crate) stratum: u32,
}

/// The tiles of an epoch, stratum by stratum.
pub(crate) fn epoch_tiles(blocks: u32, name: &[u64]) -> Vec<Tile> {
    let mut shifts: Vec<u32> = (0..blocks).collect();
    Random::named(name).shuffle(&mut shifts);
    let tile = |stratum: u32, shift: u32, row_block: u32| Tile {
        row_block,
        column_block: (row_block + shift) % blocks,
        stratum,
    };
    (0..)
        .zip(shifts)
        .flat_map(|(stratum, shift)| (0..blocks).map(move |row| tile(stratum, shift, row)))
        .collect()
}

/// Which blocks have had how many tiles of the epoch.
///
/// Tiles may be small, so a wait begins by looking again and again for a while.
pub(crate) struct Turns {
    rows: Vec<AtomicU32>,
    columns: Vec<AtomicU32>,
    done: AtomicUsize,
    stopped: AtomicBool,
    /// How many sleep.
    sleepers: Mutex<usize>,
    changed: Condvar,
}

/// Looks before a waiting thread gives its processor away, and before it sleeps.
const SPINS: usize = 2000;
const YIELDS: usize = 50;

impl Turns {
    /// At the start of an epoch, or after `strata` strata of it.
    pub(crate) fn new(blocks: u32, strata: u32) -> Turns {
        let turns = || (0..blocks).map(|_| AtomicU32::new(strata)).collect();
        Turns {
            rows: turns(),
            columns: turns(),
            done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn wait_until(&self, ready: impl Fn() -> bool) -> bool {
        let over = || self.stopped.load(SeqCst) || ready();
        for _ in 0..SPINS {
            if over() {
                return !self.stopped.load(SeqCst);
            }
            std::hint::spin_loop();
        }
        for _ in 0..YIELDS {
            if over() {
                return !self.stopped.load(SeqCst);
            }
            std::thread::yield_now();
        }
        let mut sleepers = self.sleepers.lock().expect("no holder panics");
        *sleepers += 1;
        let mut sleepers =
            self.changed.wait_while(sleepers, |_| !over()).expect("no holder panics");
        *sleepers -= 1;
        !self.stopped.load(SeqCst)
    }

    pub(crate) fn wake(&self) {
        // Under the lock, so that nobody can have looked before the change and sleep after it.
        if *self.sleepers.lock().expect("no holder panics") > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until it is the tile's turn on both its blocks; false if training was stopped.
    pub(crate) fn wait(&self, tile: Tile) -> bool {
        let (row, column) = (tile.row_block as usize, tile.column_block as usize);
        self.wait_until(|| {
            self.rows[row].load(SeqCst) >= tile.stratum
                && self.columns[column].load(SeqCst) >= tile.stratum
        })
    }

    /// The tile is trained.
    pub(crate) fn done(&self, tile: Tile) {
        self.rows[tile.row_block as usize].fetch_add(1, SeqCst);
        self.columns[tile.column_block as usize].fetch_add(1, SeqCst);
        self.done.fetch_add(1, SeqCst);
        self.wake();
    }

    /// Nobody shall go on.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        self.wake();
    }

    /// Stops everybody if the thread that holds the guard panics.
    pub(crate) fn stop_on_panic(&self) -> impl Drop {
        struct Guard<'a>(&'a Turns);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.stop();
                }
            }
        }
        Guard(self)
    }

    /// Waits until `tiles` tiles are done since [`new`](Turns::new); false if training was stopped.
    pub(crate) fn wait_for(&self, tiles: usize) -> bool {
        self.wait_until(|| self.done.load(SeqCst) >= tiles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_epoch_visits_each_tile_once_and_a_stratum_each_block_once() {
        for blocks in [1, 2, 5, 16] {
            let tiles = epoch_tiles(blocks, &[1, 2]);
            let all: BTreeSet<_> = tiles.iter().map(|t| (t.row_block, t.column_block)).collect();
            assert_eq!((all.len(), tiles.len()), ((blocks * blocks) as usize, all.len()));
            for stratum in tiles.chunks(blocks as usize) {
                let rows: BTreeSet<_> = stratum.iter().map(|t| t.row_block).collect();
                let columns: BTreeSet<_> = stratum.iter().map(|t| t.column_block).collect();
                assert_eq!((rows.len(), columns.len()), (blocks as usize, blocks as usize));
            }
        }
        assert_ne!(epoch_tiles(16, &[1, 2]), epoch_tiles(16, &[1, 3]));
    }

    #[test]
    fn no_tile_begins_before_its_blocks_are_free() {
        let blocks = 4;
        let tiles = epoch_tiles(blocks, &[9]);
        let turns = Turns::new(blocks, 0);
        let owners: Vec<Mutex<u32>> = (0..2 * blocks).map(|_| Mutex::new(0)).collect();
        let next = Mutex::new(tiles.iter());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    loop {
                        let Some(&tile) = next.lock().unwrap().next() else { break };
                        assert!(turns.wait(tile));
                        let mut row = owners[tile.row_block as usize].try_lock().unwrap();
                        let mut column =
                            owners[(blocks + tile.column_block) as usize].try_lock().unwrap();
                        assert_eq!((*row, *column), (tile.stratum, tile.stratum));
                        *row += 1;
                        *column += 1;
                        drop((row, column));
                        turns.done(tile);
                    }
                });
            }
        });
        assert!(turns.wait_for(16));
    }
}
