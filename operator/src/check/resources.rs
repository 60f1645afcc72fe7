//! CPU and memory of containers: amounts that Kubernetes would refuse, some of them by an error that names no field and looks as if
//! it would pass.
//!
//! Invariant: pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodTemplateSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::AppStackSpec;
use crate::check::{Faults, containers};

/// What may follow the number of a quantity, and what it multiplies it by. An exponent may stand there as well.
const SUFFIXES: [(&str, f64); 16] = [
    ("", 1.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];
/// By how much two amounts may differ that are written in different ways and are the same.
const SAME: f64 = 1.0 + 1e-9;

/// What is wrong with the resources that a spec gives its parts.
pub(super) fn refuse(spec: &AppStackSpec, faults: &mut Faults) {
    let backend = &spec.backend;
    let migrate = backend.migrate.as_ref();
    let frontend = spec.frontend.as_ref();
    let database = spec.database.as_ref();
    let embedded = database.and_then(|it| it.embedded.as_ref());
    for (field, resources) in [
        ("backend", backend.resources.as_ref()),
        (
            "backend.migrate",
            migrate.and_then(|it| it.resources.as_ref()),
        ),
        ("frontend", frontend.and_then(|it| it.resources.as_ref())),
        (
            "database.embedded",
            embedded.and_then(|it| it.resources.as_ref()),
        ),
    ] {
        judge(field, resources, faults);
    }
    for (index, job) in spec.jobs.iter().enumerate() {
        judge(&format!("jobs[{index}]"), job.resources.as_ref(), faults);
    }
}

/// The same of the containers of a pod template.
pub(super) fn refuse_in(field: &str, template: &PodTemplateSpec, faults: &mut Faults) {
    let Some(pod) = &template.spec else { return };
    for (list, index, it) in containers::all(pod) {
        let field = format!("{field}.spec.{list}[{index}]");
        judge(&field, it.resources.as_ref(), faults);
    }
}

fn judge(part: &str, resources: Option<&ResourceRequirements>, faults: &mut Faults) {
    let Some(resources) = resources else { return };
    let field = format!("{part}.resources");
    let requests = amounts(
        &format!("{field}.requests"),
        resources.requests.as_ref(),
        faults,
    );
    let limits = amounts(
        &format!("{field}.limits"),
        resources.limits.as_ref(),
        faults,
    );
    for (name, (request, requested)) in &requests {
        if let Some((limit, limited)) = limits.get(name)
            && *requested > limited * SAME
        {
            faults.add(
                &format!("{field}.requests.{name}"),
                format!(
                    "{request} is more than the limit of {limit}; lower it, or raise the limit"
                ),
            );
        }
    }
}

/// Each amount as it is written and as a number; what is none is a fault.
fn amounts<'a>(
    field: &str,
    given: Option<&'a BTreeMap<String, Quantity>>,
    faults: &mut Faults,
) -> BTreeMap<&'a str, (&'a str, f64)> {
    let mut found = BTreeMap::new();
    for (name, Quantity(text)) in given.into_iter().flatten() {
        match number(text) {
            Some(number) if is_bytes(name) && number.fract() != 0.0 => faults.add(
                &format!("{field}.{name}"),
                format!("{text} is no whole number of bytes; write 512Mi for 512 mebibytes"),
            ),
            Some(number) if number >= 0.0 => {
                found.insert(name.as_str(), (text.as_str(), number));
            }
            Some(_) => faults.add(&format!("{field}.{name}"), format!("{text} is below zero")),
            None => faults.add(
                &format!("{field}.{name}"),
                format!("`{text}` is no quantity; write a number with a unit, such as 500m of a CPU or 64Mi of memory"),
            ),
        }
    }
    found
}

/// Whether an amount of this is counted in bytes. `m` is a thousandth of one.
fn is_bytes(name: &str) -> bool {
    ["memory", "ephemeral-storage"].contains(&name) || name.starts_with("hugepages-")
}

/// A quantity of bytes, of which a part counts as a whole one.
pub(super) fn bytes(Quantity(text): &Quantity) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float becomes the nearest whole number there is"
    )]
    number(text).map(|it| it.ceil() as i64)
}

/// A quantity as a number (`apimachinery/pkg/api/resource/quantity.go`).
fn number(text: &str) -> Option<f64> {
    let is_of_number = |it: char| it.is_ascii_digit() || "+-.".contains(it);
    let end = text.find(|it| !is_of_number(it)).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let exponent = suffix.strip_prefix(['e', 'E']).filter(|it| !it.is_empty());
    if let Some(exponent) = exponent {
        let exponent: i32 = exponent.parse().ok()?;
        return Some(decimal(number)? * 10_f64.powi(exponent));
    }
    let (_, factor) = SUFFIXES.iter().find(|(it, _)| *it == suffix)?;
    Some(decimal(number)? * factor)
}

fn decimal(text: &str) -> Option<f64> {
    let has_digit = text.contains(|it: char| it.is_ascii_digit());
    text.parse().ok().filter(|_| has_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn what_kubernetes_takes_for_a_quantity_is_one() {
        for (text, wanted) in [
            ("1", 1.0),
            ("500m", 0.5),
            ("0.5", 0.5),
            (".5", 0.5),
            ("+2", 2.0),
            ("64Mi", 67_108_864.0),
            ("1E", 1e18),
            ("1e3", 1000.0),
            ("1E-3", 0.001),
            ("-1", -1.0),
        ] {
            assert_eq!(number(text), Some(wanted), "{text}");
        }
        for text in [
            "", "64MI", "64mb", "one", "1 Gi", "Gi", "1.2.3", "--1", "1e", "1ei", "inf", "NaN",
            "0x1",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn each_amount_that_cannot_be_is_named_with_its_field() {
        let spec = fixtures::spec(
            "backend: {image: 'a/b:1', resources: {limits: {memory: 64MI, cpu: '-1'}}},
             frontend: {image: 'a/c:1', resources: {requests: {memory: 128Mi, ephemeral-storage: 500m}, limits: {memory: 64Mi}}},
             jobs: [{name: a, args: [b], resources: {requests: {cpu: 1000m}, limits: {cpu: '1'}}}]",
        );
        let mut faults = Faults::default();
        refuse(&spec, &mut faults);
        assert_eq!(
            faults.0,
            [
                "spec.backend.resources.limits.cpu: -1 is below zero",
                "spec.backend.resources.limits.memory: `64MI` is no quantity; write a number with a unit, such as 500m of a CPU or 64Mi of memory",
                "spec.frontend.resources.requests.ephemeral-storage: 500m is no whole number of bytes; write 512Mi for 512 mebibytes",
                "spec.frontend.resources.requests.memory: 128Mi is more than the limit of 64Mi; lower it, or raise the limit",
            ]
        );
    }

    #[test]
    fn the_same_is_said_of_containers_of_a_template() {
        let template = serde_json::json!({"spec": {
            "initContainers": [{"name": "a", "resources": {"limits": {"memory": "1GB"}}}],
            "containers": [{"name": "backend", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}],
        }});
        let template = serde_json::from_value(template).unwrap();
        let mut faults = Faults::default();
        refuse_in("backend.podTemplate", &template, &mut faults);
        let [first, second] = faults.0.try_into().unwrap();
        assert!(
            first.starts_with(
                "spec.backend.podTemplate.spec.initContainers[0].resources.limits.memory: `1GB`"
            ),
            "{first}"
        );
        assert!(
            second.starts_with(
                "spec.backend.podTemplate.spec.containers[0].resources.requests.cpu: 2 is more"
            ),
            "{second}"
        );
    }
}
