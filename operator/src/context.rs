//! What every reconciliation shares.
//!
//! Invariant: no logic, and nothing that a restart would miss.

use std::sync::Arc;

use k8s_controller::events::EventRecorder;
use kube::Client;

use crate::cluster::cache::Cache;
use crate::cluster::dns::Dns;
use crate::cluster::gateways::Gateways;
use crate::cluster::seen_values::SeenValues;
use crate::cluster::stacks::Stacks;
use crate::plan::debounce::Debounce;
use crate::plan::turns::Turns;
use crate::rollout::public_check::PublicChecks;
use crate::rollout::reach::Reach;
use crate::rollout::rehearsal::Rehearsals;
use crate::runtime::admin::Progress;
use crate::runtime::backoff::Backoff;
use crate::runtime::metrics::Metrics;
use crate::runtime::optional_apis::OptionalApis;
use crate::runtime::versions::WatchedVersions;
use crate::settings::ClusterSettings;

/// What every reconciliation shares.
pub struct Context {
    /// The way to the API server.
    pub client: Client,
    /// Publishes Events.
    pub recorder: EventRecorder,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether we get anywhere.
    pub progress: Arc<Progress>,
    /// How long each stack waits after errors.
    pub backoff: Backoff,
    /// Draws a number from 0 to 1, so that what began together does not go on together.
    pub jitter: fn() -> f64,
    /// What the watches see.
    pub versions: WatchedVersions,
    /// What this process has done and read.
    pub cache: Cache,
    /// All AppStacks, so that no host is given to two of them.
    pub stacks: Stacks,
    /// The Gateways of the cluster.
    pub gateways: Gateways,
    /// How releases fared that are asked through their public address.
    pub public_checks: PublicChecks,
    /// Which releases the API server was asked about.
    pub rehearsals: Rehearsals,
    /// Whether visitors of stacks that serve get through.
    pub reach: Reach,
    /// Whether the hosts of stacks are known.
    pub dns: Dns,
    /// The secret values that stacks have had.
    pub seen_values: SeenValues,
    /// Which stack follows changed settings of the operator.
    pub turns: Turns,
    /// Which values have changed just now.
    pub debounce: Debounce,
    /// What the operator is told about the cluster.
    pub settings: ClusterSettings,
    /// Which kinds of other projects are served.
    pub optional: OptionalApis,
}

impl Context {
    /// What is known of other projects' kinds.
    #[must_use]
    pub const fn kinds(&self) -> (&OptionalApis, &Gateways) {
        (&self.optional, &self.gateways)
    }
}
