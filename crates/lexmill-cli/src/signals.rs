//! What Ctrl-C and a request to terminate do while stages run: asked once, a run ends at the next place
//! from which it can go on; asked twice, at once.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use lexmill_store::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// What a shell adds to the number of the signal that ended a program.
const BY_SIGNAL: i32 = 128;

/// The last signal that asked; 0 if none did.
static LAST: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// From now on, signals ask to stop. Work that does not look whether it is asked has to wait for the second
/// signal.
pub(crate) fn stop_on_signals() -> std::io::Result<Stop> {
    let stop = Stop::default();
    let last = LAST.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag down, the second up.
        flag::register_conditional_shutdown(signal, BY_SIGNAL + signal, stop.flag())?;
        flag::register(signal, stop.flag())?;
        flag::register_usize(signal, last.clone(), signal as usize)?;
    }
    Ok(stop)
}

/// With what to exit if a signal asked to stop.
pub(crate) fn exit_code() -> Option<u8> {
    let signal = LAST.get().map_or(0, |last| last.load(Ordering::Relaxed));
    (signal > 0).then(|| (BY_SIGNAL as usize + signal) as u8)
}
