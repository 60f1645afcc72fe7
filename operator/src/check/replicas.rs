//! How many pods a part has: as many as the spec says, or as an autoscaler says.

use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::api::{self, Environment};
use crate::check::Faults;
use crate::model::stack::{Autoscaling, Replicas};

/// The CPU that pods are to use on average, in percent of what they request, unless the spec says otherwise: enough is
/// left for what comes until new pods are ready.
const CPU: i32 = 80;

/// What the spec says of the number of pods of a part.
pub(super) struct Requested<'a> {
    /// The field of the part.
    pub(super) part: &'static str,
    pub(super) count: Option<i32>,
    pub(super) autoscaling: Option<&'a api::Autoscaling>,
    /// CPU and memory of each pod.
    pub(super) resources: &'a ResourceRequirements,
}

impl Requested<'_> {
    /// The number with its defaults.
    pub(super) fn check(&self, environment: Environment, faults: &mut Faults) -> Replicas {
        let usual = match environment {
            Environment::Local | Environment::Staging => 1,
            Environment::Production => 2,
        };
        let Some(requested) = self.autoscaling else {
            return Replicas::Fixed(self.count.unwrap_or(usual));
        };
        if !requests_cpu(self.resources) {
            faults.add(
                &format!("{}.resources.requests.cpu", self.part),
                format!(
                    "{}.autoscaling goes by the part of the requested CPU that is used; request some, such as 500m",
                    self.part
                ),
            );
        }
        let max = requested.max_replicas;
        Replicas::Auto(Autoscaling {
            min: requested.min_replicas.unwrap_or(usual.min(max)),
            max,
            cpu: requested.target_cpu_utilization.unwrap_or(CPU),
        })
    }
}

/// A limit without a request is a request of as much.
fn requests_cpu(resources: &ResourceRequirements) -> bool {
    let mut said = [&resources.requests, &resources.limits]
        .into_iter()
        .flatten();
    said.any(|it| it.contains_key("cpu"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resources: &str, autoscaling: Option<&str>) -> (Replicas, Vec<String>) {
        let autoscaling = autoscaling.map(|it| serde_saphyr::from_str(it).unwrap());
        let mut faults = Faults::default();
        let replicas = Requested {
            part: "backend",
            count: None,
            autoscaling: autoscaling.as_ref(),
            resources: &serde_saphyr::from_str(resources).unwrap(),
        }
        .check(Environment::Production, &mut faults);
        (replicas, faults.0)
    }

    #[test]
    fn what_is_not_said_has_the_default_of_the_environment() {
        let cpu = "{requests: {cpu: 100m}}";
        assert_eq!(check(cpu, None).0, Replicas::Fixed(2));
        let auto = |min, max, cpu| Replicas::Auto(Autoscaling { min, max, cpu });
        let of = |yaml| check(cpu, Some(yaml)).0;
        assert_eq!(of("{maxReplicas: 9}"), auto(2, 9, 80));
        assert_eq!(of("{maxReplicas: 1}"), auto(1, 1, 80));
        let all = "{minReplicas: 3, maxReplicas: 9, targetCPUUtilization: 50}";
        assert_eq!(of(all), auto(3, 9, 50));
    }

    #[test]
    fn autoscaling_needs_a_request_of_cpu() {
        let faults = |resources| check(resources, Some("{maxReplicas: 9}")).1;
        let without = faults("{requests: {memory: 1Gi}}");
        assert!(
            without[0].starts_with("spec.backend.resources.requests.cpu: "),
            "{without:?}"
        );
        assert!(faults("{limits: {cpu: '1'}}").is_empty());
        assert!(check("{}", None).1.is_empty());
    }
}
