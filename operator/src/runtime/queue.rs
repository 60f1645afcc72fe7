//! Bounds how many pieces of work go on at the same time, and counts those that wait.
//!
//! kube's controller could bound them too, but does not tell how many wait. One piece that is slow takes one slot and
//! delays no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::runtime::metrics::Metrics;

/// The slots, and the queue for them.
#[derive(Debug)]
pub struct Queue {
    slots: Semaphore,
    waiting: AtomicUsize,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// A queue for `slots` places.
    #[must_use]
    pub fn new(slots: u16, metrics: Arc<Metrics>) -> Self {
        metrics.queue_is(0);
        Self {
            slots: Semaphore::new(slots.into()),
            waiting: AtomicUsize::new(0),
            metrics,
        }
    }

    /// Waits for a slot; it is free again when the result is dropped. `None` never happens: the slots are not closed.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        let waiting = Waiting::begin(self);
        let slot = self.slots.acquire().await.ok();
        drop(waiting);
        slot
    }
}

/// Counts itself as waiting, also when the wait is given up.
struct Waiting<'a>(&'a Queue);

impl<'a> Waiting<'a> {
    fn begin(queue: &'a Queue) -> Self {
        let depth = queue.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        queue.metrics.queue_is(depth);
        Self(queue)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let depth = self.0.waiting.fetch_sub(1, Ordering::Relaxed) - 1;
        self.0.metrics.queue_is(depth);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    fn depth(metrics: &Metrics) -> String {
        let text = metrics.encode();
        let line = text.lines().find(|it| it.starts_with("workqueue_depth"));
        line.and_then(|it| it.rsplit(' ').next())
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn whoever_finds_no_slot_waits_and_is_counted() {
        let metrics = Arc::new(Metrics::new("test"));
        let queue = Queue::new(1, metrics.clone());
        let first = queue.enter().now_or_never().flatten();
        assert!(first.is_some());
        let mut second = Box::pin(queue.enter());
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(depth(&metrics), "1");
        drop(second);
        assert_eq!(depth(&metrics), "0");
        drop(first);
        assert!(queue.enter().now_or_never().flatten().is_some());
    }
}
