//! Where the visitors of a stack are led: by its own Ingress, and by those of others.
//!
//! Invariant: reads, and judges nothing. That they cannot be read is no reason to stop: they are only there to help.

use std::collections::BTreeSet;

use hyper::Uri;
use k8s_openapi::api::networking::v1::{Ingress, IngressRule};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::Observer;
use crate::api::{MANAGER, label};
use crate::cluster::call::send;
use crate::model::child_name::ChildName;

impl Observer<'_> {
    /// An Ingress that nobody of us made with a way for all paths of a host of these addresses, and what it does. An operator that
    /// may see its own namespaces alone looks at that of the stack.
    pub async fn foreign_route(&self, urls: &[String]) -> Option<String> {
        let hosts: BTreeSet<String> = urls.iter().filter_map(|it| host(it)).collect();
        let foreign = ListParams::default().labels(&format!("{}!={MANAGER}", label::MANAGED_BY));
        let all: Api<Ingress> = Api::all(self.client.clone());
        let own: Api<Ingress> = Api::namespaced(self.client.clone(), self.namespace);
        let found = match send(all.list(&foreign)).await {
            Ok(found) => found,
            Err(_) => send(own.list(&foreign)).await.ok()?,
        };
        let mut taken = found.iter().filter_map(|it| {
            let host = taken_by(it, &hosts)?;
            let namespace = it.namespace().unwrap_or_default();
            let name = it.name_any();
            Some(format!(
                "Ingress {namespace}/{name}, which is no AppStack's, has a rule for {host} too, and the ingress controller leads visitors to the one or the other; delete it, or take that host out of it"
            ))
        });
        taken.next()
    }

    /// Where an Ingress of the stack is reached, as its controller says: an IP address or a name.
    pub async fn address_of(&self, ingress: &ChildName) -> Option<String> {
        let api: Api<Ingress> = Api::namespaced(self.client.clone(), self.namespace);
        let found = send(api.get(ingress.as_str())).await.ok()?;
        let places = found.status?.load_balancer?.ingress?;
        let first = places.into_iter().next()?;
        first.ip.or(first.hostname)
    }
}

/// The host of these that an Ingress takes, with all its paths.
fn taken_by(ingress: &Ingress, hosts: &BTreeSet<String>) -> Option<String> {
    let rules = ingress.spec.iter().flat_map(|it| it.rules.iter().flatten());
    let mut taken = rules.filter(|it| takes_all(it));
    taken.find_map(|it| it.host.clone().filter(|it| hosts.contains(it)))
}

/// Whether a rule is for every path: an Ingress for a path of its own is how others add to a host.
fn takes_all(rule: &IngressRule) -> bool {
    let mut paths = rule.http.iter().flat_map(|it| &it.paths);
    paths.any(|it| it.path_type != "Exact" && matches!(it.path.as_deref(), None | Some("" | "/")))
}

fn host(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    url.host().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ingress(host: &str, path: &str) -> Ingress {
        let backend = json!({"service": {"name": "blog", "port": {"number": 80}}});
        let paths = json!([{"path": path, "pathType": "Prefix", "backend": backend}]);
        let rule = json!({"host": host, "http": {"paths": paths}});
        serde_json::from_value(json!({"spec": {"rules": [rule]}})).unwrap()
    }

    #[test]
    fn who_takes_a_whole_host_is_in_the_way_and_who_adds_a_path_is_not() {
        let hosts = [
            "https://shop.example.com:8443/",
            "https://api.example.com/x",
        ];
        let hosts = hosts.iter().filter_map(|it| host(it)).collect();
        let taken = |host: &str, path: &str| taken_by(&ingress(host, path), &hosts);
        assert_eq!(taken("shop.example.com", "/").unwrap(), "shop.example.com");
        assert_eq!(taken("api.example.com", "").unwrap(), "api.example.com");
        assert_eq!(taken("shop.example.com", "/blog"), None);
        assert_eq!(taken("other.example.com", "/"), None);
    }
}
