//! Which e-mail address the first superuser gets.
//!
//! Invariant: pure. The default is one that the checks of applications take, and it stays what it was for a stack that serves: a
//! seed that looks for another address would make a second superuser.

use crate::api::AppStackSpec;
use crate::check::host;
use crate::model::inputs::Inputs;
use crate::model::manifests::Manifests;
use crate::model::stack::value;
use crate::release::history;

/// The address where the domain is of a kind that checks refuse. RFC 2606 reserves it, and all of them take it.
const ELSEWHERE: &str = "admin@example.com";
/// Last parts of domains that are not on the internet: those of RFC 6761 and its like, which email-validator (pydantic's
/// `EmailStr`) refuses, and those that are no top-level domains, which joi refuses.
const NOT_PUBLIC: [&str; 14] = [
    "alt",
    "arpa",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "test",
];

/// The address that the spec says, else the one that the release which serves was given by default, else the default.
pub(super) fn email(spec: &AppStackSpec, inputs: &Inputs) -> String {
    let chosen = spec.superuser.clone().or_else(|| given(spec, inputs));
    chosen.unwrap_or_else(|| by_default(&host::of_dns(&spec.domain)))
}

fn by_default(domain: &str) -> String {
    match domain.rsplit_once('.') {
        Some((_, last)) if is_public(last) => format!("admin@{domain}"),
        _ => ELSEWHERE.into(),
    }
}

/// Whether all checks take a top-level domain: it is of two letters at least, and zod takes no encoded one.
fn is_public(last: &str) -> bool {
    let is_of_letters = last.len() > 1 && last.bytes().all(|it| it.is_ascii_lowercase());
    is_of_letters && !NOT_PUBLIC.contains(&last)
}

/// What the release that serves was given, where that was the default for the same domain, maybe by an earlier version.
fn given(spec: &AppStackSpec, inputs: &Inputs) -> Option<String> {
    let serving = history::serving(&inputs.records)?;
    let by_default = serving.spec.superuser.is_none() && serving.spec.domain == spec.domain;
    match inputs.manifests.get(&serving.hash) {
        _ if !by_default => None,
        Some(manifests) => variable(manifests, value::SUPERUSER),
        None => Some(of_before(&spec.domain)),
    }
}

/// The default of the versions that did not keep a release's objects: what they made is rendered again, and must be the same.
fn of_before(domain: &str) -> String {
    match domain {
        "localhost" => ELSEWHERE.into(),
        other => format!("admin@{other}"),
    }
}

/// A variable of the backend's pods.
fn variable(manifests: &Manifests, name: &str) -> Option<String> {
    let pod = manifests
        .backend
        .serving()?
        .spec
        .as_ref()?
        .template
        .spec
        .as_ref()?;
    let variables = pod.containers.iter().flat_map(|it| it.env.iter().flatten());
    let mut named = variables.filter(|it| it.name == name);
    named.find_map(|it| it.value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_default_is_an_address_that_checks_take() {
        for (domain, email) in [
            ("staging.acme.io", "admin@staging.acme.io"),
            ("shop.example.com", "admin@shop.example.com"),
            ("shop.xn--p1ai", ELSEWHERE),
            ("localhost", ELSEWHERE),
            ("shop", ELSEWHERE),
            ("shop.localhost", ELSEWHERE),
            ("shop.test", ELSEWHERE),
            ("shop.local", ELSEWHERE),
            ("shop.home.arpa", ELSEWHERE),
            ("shop.internal", ELSEWHERE),
            ("shop.example", ELSEWHERE),
            ("shop.x", ELSEWHERE),
            ("shop.k8s", ELSEWHERE),
        ] {
            assert_eq!(by_default(domain), email, "{domain}");
        }
    }

    #[test]
    fn what_the_serving_release_was_given_stays_the_default_of_its_domain() {
        // As an earlier version would have made it.
        let mut old = fixtures::stack(&fixtures::app("domain: shop.localhost"));
        old.superuser = "admin@shop.localhost".into();
        let asked = |old: &crate::model::stack::Stack, fields: &str| {
            let app = fixtures::app(fields);
            let mut inputs = Inputs::offline(&app);
            fixtures::keep(&mut inputs, old);
            email(&app.spec, &inputs)
        };
        let kept = asked(&old, "domain: shop.localhost, version: v2");
        assert_eq!(kept, "admin@shop.localhost");
        assert_eq!(asked(&old, "domain: shop.test"), ELSEWHERE);
        let own = asked(&old, "domain: shop.localhost, superuser: me@acme.io");
        assert_eq!(own, "me@acme.io");
        // Of one of before objects were kept the default is known.
        let app = fixtures::app("domain: shop.localhost");
        let mut inputs = Inputs::offline(&app);
        fixtures::keep(&mut inputs, &old);
        inputs.manifests.clear();
        assert_eq!(email(&app.spec, &inputs), "admin@shop.localhost");
        // What the spec said for a while is no default.
        old.spec.superuser = Some("admin@shop.localhost".into());
        assert_eq!(asked(&old, "domain: shop.localhost"), ELSEWHERE);
    }
}
