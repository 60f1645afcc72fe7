//! Who may come in, how often, and whether anybody may just now: what the spec says of it holds at once, and is no part of a release. It reaches no pod, and
//! whoever shuts somebody out means now.
//!
//! Invariant: pure.

use crate::api::{AppStackSpec, Edge};

/// A spec without any of it. An edge of which nothing is left is none.
#[must_use]
pub fn without(mut spec: AppStackSpec) -> AppStackSpec {
    say(&mut spec, &Edge::default());
    spec
}

/// The spec of a kept release with the limits of now.
#[must_use]
pub fn of_now(mut kept: AppStackSpec, now: &AppStackSpec) -> AppStackSpec {
    say(&mut kept, &now.edge.clone().unwrap_or_default());
    kept
}

fn say(spec: &mut AppStackSpec, limits: &Edge) {
    let edge = Edge {
        rate_limit: limits.rate_limit.clone(),
        access: limits.access.clone(),
        trusted_proxies: limits.trusted_proxies,
        max_body_size: limits.max_body_size.clone(),
        security_headers: limits.security_headers,
        timeouts: limits.timeouts.clone(),
        maintenance: limits.maintenance,
        maintenance_page: limits.maintenance_page.clone(),
        ..spec.edge.take().unwrap_or_default()
    };
    spec.edge = Some(edge).filter(|it| *it != Edge::default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::spec;

    const ALL: &str = "rateLimit: {average: 5}, access: {allow: ['10.0.0.0/8']}, trustedProxies: 1, maxBodySize: 1Mi, securityHeaders: true, timeouts: {response: 2m}, maintenance: true, maintenancePage: closed";

    #[test]
    fn a_spec_without_limits_is_the_same_whatever_they_are() {
        let edge = |fields: &str| spec(&format!("edge: {{{fields}}}"));
        assert_eq!(without(edge(ALL)), spec(""));
        assert_eq!(without(edge("")), spec(""));
        let hosts = "hosts: {api: a.test}";
        assert_eq!(without(edge(&format!("{hosts}, {ALL}"))), edge(hosts));
    }

    #[test]
    fn a_kept_release_has_the_limits_of_now_and_the_rest_of_its_own() {
        let kept = spec("edge: {hosts: {api: a.test}, rateLimit: {average: 7}, trustedProxies: 2}");
        let now = spec(&format!("edge: {{hosts: {{api: b.test}}, {ALL}}}"));
        let restored = of_now(kept.clone(), &now);
        let wanted = spec(&format!("edge: {{hosts: {{api: a.test}}, {ALL}}}"));
        assert_eq!(restored, wanted);
        assert_eq!(
            of_now(kept, &spec("")),
            spec("edge: {hosts: {api: a.test}}")
        );
    }
}
