//! Storage calls that fail when they are told to.
//!
//! Preloaded (`LD_PRELOAD`) into an unchanged program on Linux, this stands before the C library's calls
//! that open, read, write, sync, rename, link and remove files. Calls on files below `LEXMILL_FAULTS_ROOT`
//! are numbered from 1 in the order in which they come; with `LEXMILL_FAULTS_LOG` each is noted there with a hash of
//! the places in the program that it came from, and
//! `LEXMILL_FAULTS=N:WHAT` has the Nth (or with a name for N, as in `flock:37`, each of that name) fail with the error number WHAT, or kills the process before it
//! (`kill`), or writes half of what it is given (`short`). All other calls go through.
//!
//! It is no part of the program: only the torture harness loads it. Hence the `unsafe` code: functions of
//! the C library can't be stood before without.

#![allow(
    unsafe_code,
    reason = "functions of the C library are replaced; the harness alone loads this"
)]
#![allow(clippy::missing_safety_doc, reason = "their contracts are those of the C library")]
#![cfg(target_os = "linux")]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is wanted, from the environment.
struct Wanted {
    root: Vec<u8>,
    log: Option<c_int>,
    fault: Option<(Which, Fault)>,
}

/// Which calls fail.
enum Which {
    Number(u64),
    Name(String),
}

#[derive(Clone, Copy)]
enum Fault {
    Error(c_int),
    Kill,
    Short,
}

static WANTED: OnceLock<Wanted> = OnceLock::new();
static CALLS: AtomicU64 = AtomicU64::new(0);

fn wanted() -> &'static Wanted {
    WANTED.get_or_init(|| {
        let text = |name: &str| std::env::var(name).ok();
        let log = text("LEXMILL_FAULTS_LOG").map(|path| {
            let path = path + "\0";
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
            // SAFETY: the path ends with a NUL and lives through the call.
            unsafe {
                libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o644)
                    as c_int
            }
        });
        let fault = text("LEXMILL_FAULTS").and_then(|text| {
            let (number, what) = text.split_once(':')?;
            let fault = match what {
                "kill" => Fault::Kill,
                "short" => Fault::Short,
                errno => Fault::Error(errno.parse().ok()?),
            };
            let which =
                number.parse().map_or_else(|_| Which::Name(number.to_owned()), Which::Number);
            Some((which, fault))
        });
        let root = text("LEXMILL_FAULTS_ROOT").unwrap_or_else(|| "//".to_owned());
        Wanted { root: root.into_bytes(), log, fault }
    })
}

/// A path or less in a buffer of its own.
struct Place {
    bytes: [u8; 4096],
    length: usize,
}

impl Place {
    fn of_path(path: *const c_char) -> Place {
        let mut place = Place { bytes: [0; 4096], length: 0 };
        if !path.is_null() {
            // SAFETY: the caller of the C function hands over a string that ends with a NUL.
            let given = unsafe { CStr::from_ptr(path) }.to_bytes();
            place.length = given.len().min(4096);
            place.bytes[..place.length].copy_from_slice(&given[..place.length]);
        }
        place
    }

    /// What an open file or directory is called now.
    fn of_file(file: c_int) -> Place {
        let mut link = String::with_capacity(32);
        // Writing to a string does not fail.
        let _written = write!(link, "/proc/self/fd/{file}\0");
        let mut place = Place { bytes: [0; 4096], length: 0 };
        // SAFETY: the link ends with a NUL, and the buffer is as long as is said.
        let length = unsafe {
            let to = place.bytes.as_mut_ptr();
            libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, link.as_ptr(), to, 4096usize)
        };
        place.length = length.clamp(0, 4096) as usize;
        place
    }

    /// A path that is relative to an open directory.
    fn at(directory: c_int, path: *const c_char) -> Place {
        let given = Place::of_path(path);
        if directory == libc::AT_FDCWD || given.bytes[0] == b'/' {
            return given;
        }
        let mut place = Place::of_file(directory);
        let end = (place.length + 1 + given.length).min(4096);
        if place.length < end {
            place.bytes[place.length] = b'/';
            let rest = end - place.length - 1;
            place.bytes[place.length + 1..end].copy_from_slice(&given.bytes[..rest]);
        }
        place.length = end;
        place
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Frames of the stack that make a call site.
const FRAMES: usize = 24;

/// A hash of the places in the program that the call came from, innermost frames first; the same in every
/// process that runs the program, wherever it was loaded.
#[inline(never)]
fn call_site() -> u64 {
    let mut frames = [std::ptr::null_mut::<c_void>(); FRAMES];
    // SAFETY: there is room for as many frames as is said.
    let found = unsafe { libc::backtrace(frames.as_mut_ptr(), FRAMES as c_int) };
    let base = |address: *mut c_void| -> usize {
        // SAFETY: all zeros is a value of the structure, which the call fills in.
        unsafe {
            let mut found: libc::Dl_info = std::mem::zeroed();
            if libc::dladdr(address, &mut found) == 0 { 0 } else { found.dli_fbase as usize }
        }
    };
    let own = base(call_site as *mut c_void);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &frame in &frames[..found.clamp(0, FRAMES as c_int) as usize] {
        let base = base(frame);
        if base != own {
            hash =
                (hash ^ (frame as usize).wrapping_sub(base) as u64).wrapping_mul(0x100_0000_01b3);
        }
    }
    hash
}

/// Counts and notes a call; says what is to become of it.
fn call(name: &str, place: &Place, other: Option<&Place>) -> Option<Fault> {
    let wanted = wanted();
    let inside = |place: &Place| place.get().starts_with(&wanted.root);
    if !inside(place) && !other.is_some_and(inside) {
        return None;
    }
    let number = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(log) = wanted.log {
        let mut line = Vec::with_capacity(256);
        line.extend_from_slice(format!("{number}\t{name}\t{:016x}\t", call_site()).as_bytes());
        line.extend_from_slice(place.get());
        if let Some(other) = other {
            line.push(b'\t');
            line.extend_from_slice(other.get());
        }
        line.push(b'\n');
        // SAFETY: the line lives through the call, and is as long as is said.
        unsafe { libc::syscall(libc::SYS_write, log, line.as_ptr(), line.len()) };
    }
    let (which, fault) = wanted.fault.as_ref()?;
    let befalls = match which {
        Which::Number(at) => *at == number,
        Which::Name(of) => of == name,
    };
    if !befalls {
        return None;
    }
    let fault = *fault;
    if let Fault::Kill = fault {
        // SAFETY: no memory is handed over.
        unsafe { libc::syscall(libc::SYS_kill, libc::getpid(), libc::SIGKILL) };
    }
    Some(fault)
}

/// As the C library says that a call has failed.
fn failed(fault: Fault) -> c_long {
    let number = match fault {
        Fault::Error(number) => number,
        Fault::Kill | Fault::Short => libc::ENOSPC,
    };
    // SAFETY: the C library has a place for it for each thread.
    unsafe { *libc::__errno_location() = number };
    -1
}

/// A function of the C library that is a call of the kernel.
macro_rules! stands_before {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty = $number:ident, $place:expr, $other:expr;)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of the C library.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            if let Some(fault) = call(stringify!($name), &$place, $other.as_ref()) {
                return failed(fault) as $result;
            }
            // SAFETY: the caller's arguments, as the C library would hand them on.
            unsafe { libc::syscall(libc::$number, $($argument),*) as $result }
        }
    )*};
}

stands_before! {
    fsync(file: c_int) -> c_int = SYS_fsync, Place::of_file(file), None::<Place>;
    fdatasync(file: c_int) -> c_int = SYS_fdatasync, Place::of_file(file), None::<Place>;
    ftruncate64(file: c_int, length: i64) -> c_int = SYS_ftruncate, Place::of_file(file), None::<Place>;
    flock(file: c_int, operation: c_int) -> c_int = SYS_flock, Place::of_file(file), None::<Place>;
    read(file: c_int, to: *mut c_void, length: usize) -> isize = SYS_read, Place::of_file(file), None::<Place>;
    pread64(file: c_int, to: *mut c_void, length: usize, from: i64) -> isize = SYS_pread64, Place::of_file(file), None::<Place>;
    pwrite64(file: c_int, from: *const c_void, length: usize, to: i64) -> isize = SYS_pwrite64, Place::of_file(file), None::<Place>;
    rename(from: *const c_char, to: *const c_char) -> c_int = SYS_rename, Place::of_path(from), Some(Place::of_path(to));
    linkat(from_directory: c_int, from: *const c_char, to_directory: c_int, to: *const c_char, flags: c_int) -> c_int = SYS_linkat, Place::at(from_directory, from), Some(Place::at(to_directory, to));
    unlink(path: *const c_char) -> c_int = SYS_unlink, Place::of_path(path), None::<Place>;
    unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int = SYS_unlinkat, Place::at(directory, path), None::<Place>;
    rmdir(path: *const c_char) -> c_int = SYS_rmdir, Place::of_path(path), None::<Place>;
    mkdir(path: *const c_char, mode: c_uint) -> c_int = SYS_mkdir, Place::of_path(path), None::<Place>;
}

/// `open`, which takes a mode only where a file is made; a caller that hands over none leaves anything
/// there, and the kernel does not look at it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let name = if flags & libc::O_CREAT == 0 { "open" } else { "create" };
    if let Some(fault) = call(name, &Place::of_path(path), None) {
        return failed(fault) as c_int;
    }
    // SAFETY: the caller's arguments, as the C library would hand them on.
    unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode) as c_int }
}

/// As [`open64`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    let name = if flags & libc::O_CREAT == 0 { "open" } else { "create" };
    if let Some(fault) = call(name, &Place::at(directory, path), None) {
        return failed(fault) as c_int;
    }
    // SAFETY: the caller's arguments, as the C library would hand them on.
    unsafe { libc::syscall(libc::SYS_openat, directory, path, flags, mode) as c_int }
}

/// `write`, of which half may come through.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(file: c_int, from: *const c_void, length: usize) -> isize {
    let fault = call("write", &Place::of_file(file), None);
    let length = match fault {
        Some(Fault::Short) if length > 1 => length / 2,
        Some(fault) => return failed(fault) as isize,
        None => length,
    };
    // SAFETY: the caller's arguments, of which no more is read than they say.
    unsafe { libc::syscall(libc::SYS_write, file, from, length) as isize }
}
