//! The gate between the watches and the work: what is seen wakes nobody before the work may begin.
//!
//! Invariant: it holds back what wakes, never a watch: these are read all the time, so that the stacks and the versions of
//! a standby are those of now. Nothing is kept of what it holds back, since all stacks are looked at when it opens.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{Stream, StreamExt as _};

/// Shut until it is opened, and open ever after. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(super) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// What comes while it is open.
    pub(super) fn passed<T, S>(&self, events: S) -> impl Stream<Item = T> + Send + use<T, S>
    where
        T: Send,
        S: Stream<Item = T> + Send,
    {
        let gate = self.clone();
        events.filter(move |_| ready(gate.is_open()))
    }
}
