//! Ctrl-C: the first ends the run before its next step, so that no file is left half written; the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    FLAG.get().is_some_and(|flag| flag.load(Ordering::SeqCst))
}

/// A flag that Ctrl-C sets, from now on.
pub fn on_interrupt() -> Arc<AtomicBool> {
    let flag = FLAG.get_or_init(Arc::default).clone();
    #[cfg(unix)]
    {
        let handler = interrupted as extern "C" fn(libc::c_int);
        // SAFETY: the handler only stores to an atomic that exists already, and sets a signal's action: both may be
        // done while anything is interrupted.
        unsafe { libc::signal(libc::SIGINT, handler as *const () as libc::sighandler_t) };
    }
    flag
}

#[cfg(unix)]
extern "C" fn interrupted(_: libc::c_int) {
    if let Some(flag) = FLAG.get() {
        flag.store(true, Ordering::SeqCst);
    }
    // SAFETY: as above; the next one ends the process.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}
