//! What the operator counts, under the names that dashboards of Kubernetes controllers know.
//!
//! Every label value comes from a closed set: a metric must not grow with the number of objects.
//! Nothing here decides anything, and nothing reads a metric back.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The states that `appstack_stacks` counts; a word outside this set is counted as the last one.
pub const STATES: [&str; 6] = [
    "ready",
    "progressing",
    "failed",
    "suspended",
    "hibernated",
    UNKNOWN,
];
const UNKNOWN: &str = "unknown";

type Label = [(&'static str, &'static str); 1];
type Stages = Family<Label, Histogram, fn() -> Histogram>;

/// All metrics of one controller. Cheap to share behind an `Arc`; every method takes `&self`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    results: Family<Label, Counter>,
    errors: Family<Label, Counter>,
    took: Histogram,
    active: Gauge,
    leader: Gauge,
    unreadable: Gauge,
    stages: Stages,
    stacks: Arc<Stacks>,
    certificates: Arc<Certificates>,
    orders: Family<Label, Counter>,
}

impl Metrics {
    /// The metrics of the controller of this name, all at zero.
    #[must_use]
    pub fn new(controller: &'static str) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            results: Family::default(),
            errors: Family::default(),
            took: quick(),
            active: Gauge::default(),
            leader: Gauge::default(),
            unreadable: Gauge::default(),
            stages: Family::new_with_constructor(slow),
            stacks: Arc::default(),
            certificates: Arc::default(),
            orders: Family::default(),
        };
        metrics.register(controller);
        metrics
    }

    fn register(&mut self, controller: &'static str) {
        let label = |key: &'static str| (key.into(), controller.into());

        let own = self.registry.sub_registry_with_label(label("controller"));
        own.register(
            "controller_runtime_reconcile",
            "Reconciliations by result",
            self.results.clone(),
        );
        own.register(
            "controller_runtime_reconcile_errors",
            "Failed reconciliations by reason",
            self.errors.clone(),
        );
        own.register_with_unit(
            "controller_runtime_reconcile_time",
            "Time that one reconciliation took",
            Unit::Seconds,
            self.took.clone(),
        );
        own.register(
            "controller_runtime_active_workers",
            "Reconciliations under way",
            self.active.clone(),
        );

        let named = self.registry.sub_registry_with_label(label("name"));
        named.register(
            "leader_election_master_status",
            "Whether this replica leads: 1 or 0",
            self.leader.clone(),
        );

        self.registry.register_with_unit(
            "appstack_stage_duration",
            "Time until the gate of a stage opened",
            Unit::Seconds,
            self.stages.clone(),
        );
        self.registry.register(
            "appstack_certificate_orders",
            "Certificates of issuers that were issued, and tries that failed",
            self.orders.clone(),
        );
        self.registry.register(
            "appstack_unreadable_stacks",
            "AppStacks that cannot be read; the log names them",
            self.unreadable.clone(),
        );
        self.registry
            .register_collector(Box::new(Arc::clone(&self.stacks)));
        self.registry
            .register_collector(Box::new(Arc::clone(&self.certificates)));
    }

    /// Begins to time a reconciliation.
    #[must_use = "the time ends when the timer is dropped"]
    pub fn reconcile_started(&self) -> Timer<'_> {
        self.active.inc();
        Timer {
            metrics: self,
            since: Instant::now(),
        }
    }

    /// Counts a failed reconciliation. `reason` is one word of the closed set of error reasons.
    pub fn reconcile_failed(&self, reason: &'static str) {
        self.results.get_or_create(&[("result", "error")]).inc();
        self.errors.get_or_create(&[("reason", reason)]).inc();
    }

    /// Notes how long a stage took until its gate opened.
    pub fn stage_took(&self, stage: &'static str, time: Duration) {
        self.stages
            .get_or_create(&[("stage", stage)])
            .observe(time.as_secs_f64());
    }

    /// Notes the state of one stack: one of [`STATES`].
    pub fn stack_is(&self, key: String, state: &'static str) {
        self.stacks.lock().insert(key, state);
    }

    /// Notes when the certificate of one stack expires, in seconds of Unix time, where somebody else is to renew it.
    pub fn certificate_expires(&self, key: String, at: Option<i64>) {
        let mut all = self.certificates.lock();
        match at {
            Some(at) => all.insert(key, at),
            None => all.remove(&key),
        };
    }

    /// Counts certificates that an issuer was asked for. `result` is `issued` or `failed`.
    pub fn certificates_ordered(&self, result: &'static str, count: u64) {
        self.orders
            .get_or_create(&[("result", result)])
            .inc_by(count);
    }

    /// Forgets a stack that is gone.
    pub fn stack_gone(&self, key: &str) {
        self.stacks.lock().remove(key);
        self.certificates.lock().remove(key);
    }

    /// Notes that of the stacks that cannot be read, `now` are left of `before`, or added to them. Several watches share it.
    pub fn unreadable(&self, before: usize, now: usize) {
        let count = |it: usize| i64::try_from(it).unwrap_or(i64::MAX);
        self.unreadable
            .inc_by(count(now).saturating_sub(count(before)));
    }

    /// Notes whether this replica leads.
    pub fn leading(&self, leading: bool) {
        self.leader.set(i64::from(leading));
    }

    /// The metrics as `OpenMetrics` text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail, and none of our encoders makes an error of its own.
        let written = text::encode(&mut text, &self.registry);
        debug_assert!(written.is_ok(), "a metric could not be written as text");
        text
    }
}

/// Times one reconciliation, from [`Metrics::reconcile_started`] until it is dropped.
#[derive(Debug)]
pub struct Timer<'a> {
    metrics: &'a Metrics,
    since: Instant,
}

impl Timer<'_> {
    /// Ends the reconciliation as a success.
    ///
    /// A timer that is only dropped counts its time but no result: the failure is counted by
    /// [`Metrics::reconcile_failed`], and work cut off by a lost lease is neither.
    pub fn succeeded(self) {
        self.metrics
            .results
            .get_or_create(&[("result", "success")])
            .inc();
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.metrics.active.dec();
        self.metrics
            .took
            .observe(self.since.elapsed().as_secs_f64());
    }
}

/// Work of the operator itself: 2 ms to 32 s.
fn quick() -> Histogram {
    Histogram::new(exponential_buckets(0.002, 2.0, 15))
}

/// Work that the operator waits for, such as a migration: half a second to 34 minutes.
fn slow() -> Histogram {
    Histogram::new(exponential_buckets(0.5, 2.0, 13))
}

/// The state of each stack, counted when somebody asks, so that the numbers cannot drift.
#[derive(Default)]
struct Stacks(Mutex<HashMap<String, &'static str>>);

impl Stacks {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, &'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> [(&'static str, i64); STATES.len()] {
        let mut counts = STATES.map(|state| (state, 0));
        for state in self.lock().values() {
            let place = STATES.iter().position(|known| known == state);
            counts[place.unwrap_or(STATES.len() - 1)].1 += 1;
        }
        counts
    }
}

impl Collector for Stacks {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let help = "AppStacks by state.";
        let mut metric =
            encoder.encode_descriptor("appstack_stacks", help, None, MetricType::Gauge)?;
        for (state, count) in self.counts() {
            ConstGauge::new(count).encode(metric.encode_family(&[("state", state)])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Stacks {
    /// The counts only: names of stacks have no place in a debug line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stacks").field(&self.counts()).finish()
    }
}

/// When the certificate of each stack expires, as far as the operator does not renew it.
#[derive(Debug, Default)]
struct Certificates(Mutex<HashMap<String, i64>>);

impl Certificates {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Certificates {
    /// The first of them: an alert needs no more, and the condition of the stack says which.
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(first) = self.lock().values().min().copied() else {
            return Ok(());
        };
        let metric = encoder.encode_descriptor(
            "appstack_certificate_expiry_timestamp",
            "When the first certificate of a Secret that an AppStack names expires.",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        ConstGauge::new(first).encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new("appstack")
    }

    #[track_caller]
    fn assert_line(metrics: &Metrics, line: &str) {
        let text = metrics.encode();
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }

    #[test]
    fn a_success_is_counted_and_timed() {
        let metrics = metrics();
        metrics.reconcile_started().succeeded();
        assert_line(
            &metrics,
            r#"controller_runtime_reconcile_total{controller="appstack",result="success"} 1"#,
        );
        assert_line(
            &metrics,
            r#"controller_runtime_reconcile_time_seconds_count{controller="appstack"} 1"#,
        );
    }

    #[test]
    fn a_failure_is_counted_by_its_reason() {
        let metrics = metrics();
        drop(metrics.reconcile_started());
        metrics.reconcile_failed("ApplyFailed");
        assert_line(
            &metrics,
            r#"controller_runtime_reconcile_total{controller="appstack",result="error"} 1"#,
        );
        assert_line(
            &metrics,
            r#"controller_runtime_reconcile_errors_total{controller="appstack",reason="ApplyFailed"} 1"#,
        );
        assert!(!metrics.encode().contains(r#"result="success""#));
    }

    #[test]
    fn work_under_way_is_seen_until_its_timer_ends() {
        let metrics = metrics();
        let line = r#"controller_runtime_active_workers{controller="appstack"} "#;
        let timer = metrics.reconcile_started();
        assert_line(&metrics, &format!("{line}1"));
        drop(timer);
        assert_line(&metrics, &format!("{line}0"));
    }

    #[test]
    fn a_stage_is_timed_under_its_name() {
        let metrics = metrics();
        metrics.stage_took("migration", Duration::from_secs(3));
        assert_line(
            &metrics,
            r#"appstack_stage_duration_seconds_sum{stage="migration"} 3.0"#,
        );
        assert_line(
            &metrics,
            r#"appstack_stage_duration_seconds_bucket{le="4.0",stage="migration"} 1"#,
        );
    }

    #[test]
    fn the_certificate_that_expires_first_is_told() {
        let metrics = metrics();
        let name = "appstack_certificate_expiry_timestamp_seconds";
        assert!(!metrics.encode().contains(name));
        for (key, at) in [
            ("a", Some(30)),
            ("b", Some(20)),
            ("c", Some(10)),
            ("c", None),
        ] {
            metrics.certificate_expires(key.to_owned(), at);
        }
        assert_line(&metrics, &format!("{name} 20"));
        metrics.stack_gone("b");
        assert_line(&metrics, &format!("{name} 30"));
    }

    #[test]
    fn each_stack_is_counted_once_in_its_latest_state() {
        let metrics = metrics();
        metrics.stack_is("shop/a".to_owned(), "progressing");
        metrics.stack_is("shop/a".to_owned(), "ready");
        metrics.stack_is("shop/b".to_owned(), "ready");
        metrics.stack_is("shop/c".to_owned(), "failed");
        metrics.stack_gone("shop/c");
        assert_line(&metrics, r#"appstack_stacks{state="ready"} 2"#);
        assert_line(&metrics, r#"appstack_stacks{state="progressing"} 0"#);
        assert_line(&metrics, r#"appstack_stacks{state="failed"} 0"#);
    }

    #[test]
    fn a_state_outside_the_set_adds_no_label_value() {
        let metrics = metrics();
        metrics.stack_is("shop/a".to_owned(), "on-fire");
        assert_line(&metrics, r#"appstack_stacks{state="unknown"} 1"#);
        assert!(!metrics.encode().contains("on-fire"));
    }

    #[test]
    fn no_metric_names_a_stack() {
        let metrics = metrics();
        metrics.stack_is("shop/secret-project".to_owned(), "ready");
        assert!(!metrics.encode().contains("secret-project"));
        assert!(!format!("{metrics:?}").contains("secret-project"));
    }

    #[test]
    fn what_cannot_be_read_is_counted_over_all_watches() {
        let metrics = metrics();
        assert_line(&metrics, "appstack_unreadable_stacks 0");
        metrics.unreadable(0, 2);
        metrics.unreadable(0, 1);
        metrics.unreadable(2, 0);
        assert_line(&metrics, "appstack_unreadable_stacks 1");
    }

    #[test]
    fn leadership_is_one_or_zero() {
        let metrics = metrics();
        let line = r#"leader_election_master_status{name="appstack"} "#;
        assert_line(&metrics, &format!("{line}0"));
        metrics.leading(true);
        assert_line(&metrics, &format!("{line}1"));
    }

    #[test]
    fn the_text_ends_as_openmetrics_wants_it() {
        assert!(metrics().encode().ends_with("# EOF\n"));
    }
}
