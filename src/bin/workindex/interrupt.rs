//! Ctrl-C: the first asks the work to stop, the second stops the program.

use std::sync::atomic::{AtomicBool, Ordering};

use workindex::CancelToken;

use crate::console;

/// The exit status of an interrupted program, by custom.
pub const STATUS: u8 = 130;

static WAITS_FOR_INPUT: AtomicBool = AtomicBool::new(false);

/// Installs the handler; the token is raised by Ctrl-C, and by requests to terminate.
pub fn install() -> CancelToken {
    let token = CancelToken::new();
    let raised = token.clone();
    let handler = move || {
        // A thread that waits for input cannot look at the token.
        if raised.is_cancelled() || WAITS_FOR_INPUT.load(Ordering::Relaxed) {
            console::complain("interrupted");
            std::process::exit(STATUS.into());
        }
        raised.cancel();
    };
    // Where a signal is ignored on purpose (`nohup`), no handler is installed, and it stays ignored. Without a handler
    // Ctrl-C ends the program as ever, and an index survives that.
    let _ = ctrlc::try_set_handler(handler);
    token
}

/// Runs something that may wait for input without end; Ctrl-C then ends the program at once.
pub fn while_waiting<T>(read: impl FnOnce() -> T) -> T {
    WAITS_FOR_INPUT.store(true, Ordering::Relaxed);
    let result = read();
    WAITS_FOR_INPUT.store(false, Ordering::Relaxed);
    result
}
