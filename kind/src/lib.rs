//! A real Kubernetes on one machine, with or without Docker: for development, the demo and the cluster stories.
//!
//! # Five-minute tour
//! A [`Cluster`] is opened by name and brought [`up`](Cluster::up) or [`down`](Cluster::down), which `lifecycle` does. Where
//! a Docker engine answers, the `docker` provider runs it by kind; otherwise `native` makes a node of its own in Linux
//! namespaces. Both get the same objects from `manifests`, publish the same [`ports`] on the loopback, and take the same
//! [`images`]. No module imports one that imports it, by whatever way round; `imports` makes sure of that.
//!
//! What a native node needs is built once per user: [`tools`] from Go modules, [`images`] from Dockerfiles, base images
//! ([`images::standin`]) from Debian packages. Everything is kept under a hash of its content in the cache [`folders`],
//! so that a second run finds it.
//!
//! A native node is one process tree. `up` starts `xtask node`, which enters the namespaces and becomes their first
//! process ([`native::run`]); that starts etcd, the API server, containerd, the kubelet and the rest, publishes the
//! ports and provisions volumes. If one of them ends, the node ends and its log says why. When the first process is
//! killed, the kernel takes all the rest with it: `down` has only the cluster's folder and control groups to remove.
//!
//! [`operator`] knows how the operator is installed, [`demo`] what the demo applies and where it answers, [`trust`] who is to believe its certificate, [`machine`] says in one sentence what a machine lacks, [`browser`] finds one for the stories of the pages,
//! [`progress`] shows what goes on, `lock` lets runs that meet do the same thing once, and `kind/README.md` tells what to
//! look at when something fails.

pub mod api;
pub mod authority;
pub mod browser;
pub mod cluster;
mod command;
pub mod content;
pub mod demo;
mod docker;
pub mod folders;
pub mod images;
#[cfg(test)]
mod imports;
mod lifecycle;
mod lock;
pub mod machine;
mod manifests;
pub mod native;
pub mod operator;
pub mod ports;
pub mod progress;
mod provider;
pub mod state;
pub mod tools;
pub mod trust;

pub use cluster::{Cluster, DEFAULT_NAME, Options};
pub use images::{Built, Image};
pub use progress::Progress;
