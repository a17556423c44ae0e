//! A gate that records.

use std::sync::Mutex;

use super::operation::{Gate, Operation, Refusal};

/// What was done so far, in order.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    recorded: Mutex<Vec<Operation>>,
}

impl Trace {
    /// How many operations were recorded.
    pub(crate) fn len(&self) -> usize {
        self.recorded.lock().unwrap().len()
    }

    /// The operations, which are forgotten here.
    pub(crate) fn take(&self) -> Vec<Operation> {
        std::mem::take(&mut *self.recorded.lock().unwrap())
    }
}

impl Gate for Trace {
    /// Those that only look are not recorded.
    fn pass(&self, operation: Operation) -> Result<(), Refusal> {
        if operation.writes() {
            self.recorded.lock().unwrap().push(operation);
        }
        Ok(())
    }
}
