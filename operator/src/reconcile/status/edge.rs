//! What is said of the way in beside its gate: who is kept out, which certificate ends, and whose visitors do not get through.
//!
//! Invariant: pure, and nothing here makes the edge unready.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use crate::api::{ConditionType, HostStep, StageName, UnreachedHost};
use crate::reconcile::status::Progress;
use crate::reconcile::status::conditions::Conditions;
use crate::rollout::gates::{Gate, next_try};

/// What is said where the default limit of production is not in force.
const UNLIMITED: &str = "the number of requests is not limited: the operator can tell Traefik alone, with its CustomResourceDefinitions; limit it at the load balancer and say so by edge.rateLimit.disabled, or set edge.className";

/// What is said while nobody may come in.
pub(super) const MAINTENANCE: &str = "visitors get the maintenance page, by edge.maintenance";

/// What is said of a stack that is not production, and asks where each try counts.
const STAGING_AUTHORITY: &str = "this stack is not production: Let's Encrypt has a staging authority for those, with wider limits (https://acme-staging-v02.api.letsencrypt.org/directory)";

/// What is to be said of who comes in, beside whether the edge works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayIn {
    /// Requests are not limited, because the ingress controller cannot do it.
    pub unlimited: bool,
    /// All visitors are answered that they may not come in just now.
    pub maintenance: bool,
    /// The Secret of a certificate that expires soon, and when it does.
    pub expires: Option<(String, Timestamp)>,
    /// Who looks after the certificates that the operator does not see, where somebody does.
    pub keeper: Option<Keeper>,
    /// A certificate is asked for at an authority that has another one for stacks that are not production.
    pub tries_in_production: bool,
    /// Hosts that DNS does not know.
    pub unknown_hosts: Option<UnknownHosts>,
}

/// Who looks after certificates that the operator sees only where they are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// Who.
    pub who: CertificateKeeper,
    /// The host whose certificate ends soon, and when it does.
    pub ends_soon: Option<(String, Timestamp)>,
}

/// Who looks after certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateKeeper {
    /// The ingress controller's resolver of this name.
    Resolver(String),
    /// Whoever looks after this Gateway.
    Gateway(String),
}

/// Hosts that DNS does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownHosts {
    /// Which.
    pub hosts: Vec<String>,
    /// Where they are to lead: an IP address or a name, as far as the ingress controller says.
    pub address: Option<String>,
}

/// Adds it to what the gate says.
pub(super) fn set(conditions: &mut Conditions, progress: &Progress) {
    if progress.way_in.tries_in_production {
        conditions.add(ConditionType::EdgeReady, STAGING_AUTHORITY);
    }
    if progress.rollout.gate(StageName::Edge) == Some(&Gate::Open) {
        let unlimited = progress.way_in.unlimited.then_some(UNLIMITED);
        let caveat = progress.rollout.caveat.as_deref();
        let closed = progress.way_in.maintenance.then_some(MAINTENANCE);
        let expires = certificate(progress);
        let records = progress.way_in.unknown_hosts.as_ref().map(dns_records);
        let ways = ways(progress);
        let said = closed.into_iter().chain(unlimited).chain(caveat);
        let refused = progress.rollout.refused_routes.iter().map(String::as_str);
        let first = refused.chain(records.as_deref());
        let first = first.chain(ways.iter().map(String::as_str));
        for said in first.chain(expires.as_deref()).chain(said) {
            conditions.add(ConditionType::EdgeReady, said);
        }
    }
}

/// The hosts whose visitors do not get through, in the order of the steps that do not work.
pub(super) fn unreached(progress: &Progress) -> Vec<UnreachedHost> {
    let unknown = progress.way_in.unknown_hosts.iter().flat_map(|unknown| {
        let record = dns_record(unknown.address.as_deref());
        unknown.hosts.iter().map(move |host| UnreachedHost {
            host: host.clone(),
            step: HostStep::Dns,
            message: format!("DNS does not know it, as seen from the cluster: make {record}"),
        })
    });
    unknown.chain(beyond_dns(progress)).collect()
}

/// Those of them that DNS knows, as far as that matters to the operator.
fn beyond_dns(progress: &Progress) -> impl Iterator<Item = UnreachedHost> {
    let keeper = progress.way_in.keeper.as_ref();
    let all = progress.rollout.reached.unreached.iter();
    all.map(move |it| {
        let keeper = keeper.filter(|_| it.step == HostStep::Certificate);
        let hint = keeper.map_or_else(String::new, |it| match &it.who {
            CertificateKeeper::Resolver(name) => format!(
                "; Traefik asks for one by its resolver {name} as soon as it has the route, and its log says what is in the way, or that it has no resolver of this name"
            ),
            CertificateKeeper::Gateway(gateway) => {
                format!("; the certificate is that of a listener of {gateway}")
            }
        });
        UnreachedHost {
            message: format!("{}{hint}", it.message),
            ..it.clone()
        }
    })
}

/// The same for the condition: hosts with the same trouble are told together.
fn ways(progress: &Progress) -> Vec<String> {
    let mut troubles: Vec<(String, Vec<String>)> = Vec::new();
    for it in beyond_dns(progress) {
        match troubles.iter_mut().find(|(why, _)| *why == it.message) {
            Some((_, hosts)) => hosts.push(it.host),
            None => troubles.push((it.message, vec![it.host])),
        }
    }
    let troubles = troubles.into_iter();
    troubles
        .map(|(why, hosts)| format!("visitors of {} do not get through: {why}", hosts.join(", ")))
        .collect()
}

/// Which DNS records are to be made.
fn dns_records(unknown: &UnknownHosts) -> String {
    let record = dns_record(unknown.address.as_deref());
    let (hosts, each) = match unknown.hosts.as_slice() {
        [one] => (one.clone(), ""),
        many => (many.join(", "), " for each"),
    };
    format!("DNS does not know {hosts}, as seen from the cluster: make {record}{each}")
}

/// Which DNS record leads to the ingress controller.
fn dns_record(address: Option<&str>) -> String {
    match address {
        Some(address) if address.parse::<Ipv4Addr>().is_ok() => {
            format!("an A record with {address}")
        }
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => {
            format!("an AAAA record with {address}")
        }
        Some(name) => format!("a CNAME record with {name}"),
        None => "a record with the address of the ingress controller, which it does not say".into(),
    }
}

/// What is to be said of a certificate that serves: that it expires soon, or could not be renewed.
fn certificate(progress: &Progress) -> Option<String> {
    if let Some(keeper) = &progress.way_in.keeper {
        let (host, at) = keeper.ends_soon.as_ref()?;
        let what = match &keeper.who {
            CertificateKeeper::Resolver(_) => {
                "and Traefik has not renewed it; its log says why".to_owned()
            }
            CertificateKeeper::Gateway(gateway) => {
                format!("and nobody has renewed it; ask whoever looks after {gateway}")
            }
        };
        return Some(format!(
            "the certificate that is served for {host} expires at {at}, {what}"
        ));
    }
    let soon = progress.way_in.expires.as_ref();
    let soon =
        soon.map(|(secret, at)| format!("the certificate of Secret {secret} expires at {at}"));
    let Some(issuance) = &progress.rollout.certificate else {
        return Some(format!("{}; renew it", soon?));
    };
    let name = &issuance.name;
    let failed = issuance.last_error.as_ref().map(|why| {
        format!(
            "certificate {name} could not be renewed: {why}{}",
            next_try(issuance)
        )
    });
    match (soon, failed) {
        (None, failed) => failed,
        (Some(soon), Some(failed)) => Some(format!("{soon}; {failed}")),
        (Some(soon), None) => Some(format!(
            "{soon} and is not renewed: kubectl -n {} describe certificate {name}",
            progress.namespace
        )),
    }
}
