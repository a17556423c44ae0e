//! Gates that refuse operations, or kill the process at one of them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::operation::{Gate, Operation, Refusal};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The medium fails: EIO.
    Medium,
    /// The medium is full: ENOSPC; writes get half done before.
    Full,
    /// Too many open files: EMFILE.
    Files,
    /// No permission: EACCES.
    Permission,
    /// A signal comes in the middle: reads end with EINTR, writes of files other than the catalog (whose are repeated by
    /// the standard library) are short.
    Signal,
}

impl Fault {
    pub(crate) const ALL: [Fault; 5] = [Fault::Medium, Fault::Full, Fault::Files, Fault::Permission, Fault::Signal];

    /// Whether the operating system answers such an operation so.
    fn can_strike(self, operation: &Operation) -> bool {
        use Operation::{
            Create, CreateDir, Look, Open, Read, RemoveDir, RemoveFile, Rename, SetLen, Sync, SyncDir, Write,
        };
        match self {
            Fault::Medium => true,
            Fault::Full => {
                matches!(operation, Create(_) | Write { .. } | SetLen { .. } | Sync(_) | CreateDir(_) | Rename { .. })
            }
            Fault::Files => matches!(operation, Create(_) | Open(_) | SyncDir(_) | Look(_)),
            Fault::Permission => matches!(
                operation,
                Create(_) | Open(_) | CreateDir(_) | Rename { .. } | RemoveFile(_) | RemoveDir(_) | SyncDir(_)
            ),
            Fault::Signal => match operation {
                Read(path) | Write { path, .. } => path.extension().is_none_or(|extension| extension != "redb"),
                _ => false,
            },
        }
    }

    fn refusal(self, operation: &Operation) -> Refusal {
        // The numbers are those of Linux; elsewhere they are errors of some other name.
        let code = match self {
            Fault::Medium => 5,
            Fault::Full => 28,
            Fault::Files => 24,
            Fault::Permission => 13,
            Fault::Signal => 4,
        };
        let written = match (self, operation) {
            (Fault::Full | Fault::Signal, Operation::Write { data, .. }) => data.len() / 2,
            _ => 0,
        };
        Refusal { error: io::Error::from_raw_os_error(code), written }
    }
}

/// Refuses the n-th operation, counted from 0 over those that the fault can strike; all that follow too, if it lasts.
#[derive(Debug)]
pub(crate) struct FaultAt {
    fault: Fault,
    n: usize,
    lasts: bool,
    passed: AtomicUsize,
}

impl FaultAt {
    pub(crate) fn new(fault: Fault, n: usize, lasts: bool) -> Self {
        Self { fault, n, lasts, passed: AtomicUsize::new(0) }
    }

    /// Whether any operation was refused.
    pub(crate) fn struck(&self) -> bool {
        self.passed.load(Ordering::SeqCst) > self.n
    }
}

impl Gate for FaultAt {
    fn pass(&self, operation: Operation) -> Result<(), Refusal> {
        if !self.fault.can_strike(&operation) {
            return Ok(());
        }
        let at = self.passed.fetch_add(1, Ordering::SeqCst);
        match at == self.n || (self.lasts && at > self.n) {
            true => Err(self.fault.refusal(&operation)),
            false => Ok(()),
        }
    }
}

/// Kills this process with SIGKILL at the n-th operation that writes, counted from 0.
#[derive(Debug)]
pub(crate) struct Kill {
    n: usize,
    passed: AtomicUsize,
}

impl Kill {
    pub(crate) fn at(n: usize) -> Self {
        Self { n, passed: AtomicUsize::new(0) }
    }
}

impl Gate for Kill {
    fn pass(&self, operation: Operation) -> Result<(), Refusal> {
        if operation.writes() && self.passed.fetch_add(1, Ordering::SeqCst) == self.n {
            kill_this_process();
        }
        Ok(())
    }
}

fn kill_this_process() {
    let me = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-KILL", &me]).status();
    panic!("no `kill`");
}
