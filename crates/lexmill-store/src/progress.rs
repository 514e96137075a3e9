//! How a stage is to run, and what it reports while it does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{Error, Result};

/// What a run may use. None of it shows in a result.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Worker threads.
    pub threads: usize,
    /// The most resident memory the process should take, in bytes.
    pub memory_bytes: u64,
    /// The most that a run directory, or a stage that is run alone, should hold, if that is limited.
    pub disk_bytes: Option<u64>,
    /// The longest time between checkpoints of a trainer.
    pub checkpoint_every: Duration,
    /// A trainer also writes a checkpoint after every so many epochs, if given.
    pub checkpoint_epochs: Option<u32>,
}

impl Resources {
    /// So many threads and bytes of memory, a checkpoint every ten minutes, any room on the disk.
    pub fn new(threads: usize, memory_bytes: u64) -> Resources {
        Resources {
            threads,
            memory_bytes,
            disk_bytes: None,
            checkpoint_every: Duration::from_secs(600),
            checkpoint_epochs: None,
        }
    }

    /// Of the memory, what a stage may fill with data of its own: the rest is for the program, the
    /// allocator and the files' buffers.
    pub fn data_bytes(&self) -> u64 {
        self.memory_bytes.saturating_sub(64 << 20).max(self.memory_bytes / 4) / 4 * 3
    }
}

/// Files that the process may have open at once. Where the system does not say, what most allow.
pub fn open_files() -> usize {
    const LEAST: usize = 256;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    match line.and_then(|line| line.split_whitespace().next()) {
        Some("unlimited") => usize::MAX,
        Some(limit) => limit.parse().unwrap_or(LEAST),
        None => LEAST,
    }
}

/// Something that happened, for people and for programs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An epoch of a trainer ended.
    Epoch {
        /// From 1.
        epoch: u32,
        /// Of how many.
        epochs: u32,
        /// Mean loss of an example.
        loss: f64,
        /// Seconds on the clock.
        seconds: f64,
    },
    /// An epoch of a trainer was scored.
    Scores {
        /// From 1.
        epoch: u32,
        /// Test sets and the scores on them; NaN where one can't be computed.
        sets: Vec<(String, f64)>,
        /// The mean of the scores.
        mean: f64,
        /// The epoch with the best mean so far.
        best: Option<u32>,
        /// Seconds on the clock.
        seconds: f64,
    },
    /// A trainer took up its work from a checkpoint.
    Resumed {
        /// Epochs that were whole.
        epochs: u32,
        /// Parts of the next one that were done.
        parts: u64,
        /// What these are, such as "strata".
        unit: &'static str,
    },
    /// Something a person should know: what was replaced, cut, skipped.
    Notice(String),
}

/// Asks work to end at the next place from which it can go on.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether that has been asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// What asks once it is true, for who handles signals.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

/// Counters that a stage turns and a reporter reads; and the other way round, whether work is to stop.
#[derive(Debug, Default)]
pub struct Progress {
    stop: Stop,
    total: AtomicU64,
    done: AtomicU64,
    unit: Mutex<&'static str>,
    told: Mutex<String>,
    events: Mutex<Vec<Event>>,
}

impl Progress {
    /// Nothing begun.
    pub fn new() -> Progress {
        Progress::default()
    }

    /// Nothing begun, and ends when `stop` asks for it.
    pub fn until(stop: Stop) -> Progress {
        Progress { stop, ..Progress::default() }
    }

    /// Whether work is to end at the next place from which it can go on.
    pub fn is_to_stop(&self) -> bool {
        self.stop.is_asked()
    }

    /// Goes on, unless work is to end: for places from which it can go on later.
    ///
    /// # Errors
    /// [`Error::Stopped`] if it is to end.
    pub fn go_on(&self) -> Result<()> {
        if self.is_to_stop() { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Begins a phase of `total` units (0 if nobody knows), such as "tokens".
    pub fn begin(&self, unit: &'static str, total: u64) {
        self.done.store(0, Relaxed);
        self.total.store(total, Relaxed);
        *self.unit.lock().expect("no holder panics") = unit;
        self.told.lock().expect("no holder panics").clear();
    }

    /// Begins to compare so many bytes with what was written.
    pub fn begin_comparing(&self, bytes: u64) {
        self.begin("bytes", bytes);
        self.tell("comparing with what was written".to_owned());
    }

    /// Says how things stand, in a few words to be shown beside the counters.
    pub fn tell(&self, text: String) {
        *self.told.lock().expect("no holder panics") = text;
    }

    /// What was told last; empty at the start of a phase.
    pub fn told(&self) -> String {
        self.told.lock().expect("no holder panics").clone()
    }

    /// Counts `units` more as done.
    pub fn advance(&self, units: u64) {
        self.done.fetch_add(units, Relaxed);
    }

    /// Reports something.
    pub fn report(&self, event: Event) {
        self.events.lock().expect("no holder panics").push(event);
    }

    /// What was reported since the last call.
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().expect("no holder panics"))
    }

    /// Done, total (0: unknown) and the unit.
    pub fn read(&self) -> (u64, u64, &'static str) {
        let unit = *self.unit.lock().expect("no holder panics");
        (self.done.load(Relaxed), self.total.load(Relaxed), unit)
    }
}
