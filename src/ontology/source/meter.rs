//! How far reading has come, over all files of an input.

use std::cell::Cell;

use crate::error::Result;
use crate::monitor::{Monitor, Stage};

/// Reports bytes read to a [`Monitor`] and asks it whether to go on.
pub(crate) struct Meter<'a> {
    monitor: &'a Monitor,
    /// Bytes of the files that are finished.
    finished: Cell<u64>,
    /// Bytes of all files that will be read, when known.
    total: Cell<Option<u64>>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(monitor: &'a Monitor) -> Self {
        Self { monitor, finished: Cell::new(0), total: Cell::new(None) }
    }

    /// Announces how many bytes there are.
    pub(super) fn expect(&self, total: u64) {
        self.total.set(Some(total));
    }

    /// Reports that `position` bytes of a file are read, which has `size` of them if that is known.
    pub(super) fn at(&self, position: u64, size: Option<u64>) -> Result<()> {
        self.monitor.check()?;
        let done = self.finished.get().saturating_add(position.min(size.unwrap_or(u64::MAX)));
        self.monitor.report(Stage::Reading, done, self.total.get());
        Ok(())
    }

    /// Reports that a file is read to its end.
    pub(super) fn file_done(&self, position: u64, size: Option<u64>) -> Result<()> {
        // Line ends count once while reading, so that the position may lag behind.
        let size = size.unwrap_or(position);
        self.at(size, Some(size))?;
        self.finished.set(self.finished.get().saturating_add(size));
        Ok(())
    }
}
