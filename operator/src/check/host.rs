//! Names of hosts as people write them, in any script, and as DNS knows them.
//!
//! What is made of a host, such as an Ingress, a certificate or a variable, has it as DNS knows it; so does what is compared.

use crate::api::AppStackSpec;
use crate::check::Faults;

/// Characters that nobody sees, and that UTS 46 drops: who pasted one did not mean it.
const INVISIBLE: [char; 5] = ['\u{ad}', '\u{200b}', '\u{2060}', '\u{fe0f}', '\u{feff}'];

/// A host as DNS knows it. One that cannot be one is left as it is, and refused.
pub(super) fn of_dns(host: &str) -> String {
    ascii(host).unwrap_or_else(|| host.to_owned())
}

/// Notes hosts that cannot be written so that DNS knows them.
pub(super) fn refuse(spec: &AppStackSpec, faults: &mut Faults) {
    let hosts = spec.edge.as_ref().and_then(|it| it.hosts.clone());
    let hosts = hosts.unwrap_or_default();
    let redirects = hosts.redirects.iter().flatten();
    let all = [("domain", Some(&spec.domain))]
        .into_iter()
        .chain([("edge.hosts.dashboard", hosts.dashboard.as_ref())])
        .chain([("edge.hosts.api", hosts.api.as_ref())])
        .chain(redirects.map(|it| ("edge.hosts.redirects", Some(it))));
    for (field, host) in all.filter_map(|(field, host)| Some((field, host?))) {
        if ascii(host).is_none() {
            let problem = format!(
                "{host} is no name that DNS can hold: it has characters that no domain may have, or a part that is longer than 63 letters as DNS writes it"
            );
            faults.add(field, problem);
        }
    }
}

/// By UTS 46, as browsers do it. What is written in ASCII was judged by the schema.
fn ascii(host: &str) -> Option<String> {
    if host.is_ascii() {
        return Some(host.to_owned());
    }
    let is_seen = |it: char| !INVISIBLE.contains(&it);
    host.chars()
        .all(is_seen)
        .then(|| idna::domain_to_ascii_strict(host).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::spec;

    #[test]
    fn a_host_of_any_script_is_what_browsers_make_of_it() {
        for (written, known) in [
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("shop.пример", "shop.xn--e1afmkfd"),
            ("faß.de", "xn--fa-hia.de"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("a--b.example", "a--b.example"),
        ] {
            assert_eq!(of_dns(written), known);
        }
    }

    #[test]
    fn what_dns_cannot_hold_is_refused_with_its_field() {
        let faults = |yaml: &str| {
            let mut faults = Faults::default();
            refuse(&spec(yaml), &mut faults);
            faults.0
        };
        assert_eq!(faults("domain: bücher.example"), [""; 0]);
        let long = "ü".repeat(62);
        for (yaml, field) in [
            (format!("domain: {long}.example"), "spec.domain: "),
            ("domain: \"shop\\u200b.example\"".into(), "spec.domain: "),
            (
                "edge: {hosts: {api: 'ü ü.example'}}".into(),
                "spec.edge.hosts.api: ",
            ),
            (
                "edge: {hosts: {redirects: [a.example, 'ü-.example']}}".into(),
                "spec.edge.hosts.redirects: ",
            ),
        ] {
            let found = faults(&yaml);
            assert_eq!(found.len(), 1, "{yaml}: {found:?}");
            assert!(found[0].starts_with(field), "{found:?}");
        }
    }
}
