//! How far reading has come, over all files of an input.

use std::cell::Cell;

use crate::error::Result;
use crate::monitor::{Monitor, Stage};

/// Reports bytes read to a [`Monitor`] and asks it whether to go on.
pub(super) struct Meter<'a> {
    monitor: &'a Monitor,
    /// Bytes of the files that are finished.
    finished: Cell<u64>,
    /// Bytes of all files that will be read, when known.
    total: Cell<Option<u64>>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, finished: Cell::new(0), total: Cell::new(None) }
    }

    /// Announces how many bytes there are.
    pub(super) fn expect(&self, total: u64) {
        self.total.set(Some(total));
    }

    /// Reports that `position` bytes of a file with `size` bytes are read.
    pub(super) fn at(&self, position: u64, size: u64) -> Result<()> {
        self.monitor.check()?;
        self.monitor.report(Stage::Reading, self.finished.get().saturating_add(position.min(size)), self.total.get());
        Ok(())
    }

    /// Reports that a file with `size` bytes is read.
    pub(super) fn file_done(&self, size: u64) -> Result<()> {
        self.at(size, size)?;
        self.finished.set(self.finished.get().saturating_add(size));
        Ok(())
    }
}
