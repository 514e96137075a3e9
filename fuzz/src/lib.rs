//! What all targets need. Each is a program in `src/bin`; `run` builds and runs them.

use std::path::{Path, PathBuf};

/// A panic where the program turns it into an error is none; any other ends the process.
pub fn begin() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !lexmill_store::table::panics_are_caught() {
            told(panic);
            std::process::abort();
        }
    }));
}

/// A directory of this process's own, in memory.
pub fn directory() -> PathBuf {
    let base = if Path::new("/dev/shm").is_dir() {
        PathBuf::from("/dev/shm")
    } else {
        std::env::temp_dir()
    };
    let directory = base.join(format!("lexmill-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a place to work");
    directory
}

/// Writes bytes to a file there.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory().join(name);
    std::fs::write(&path, bytes).expect("room for a small file");
    path
}
