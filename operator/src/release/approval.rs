//! Who approved a release.
//!
//! Invariant: pure. An approval is for one release; whoever changes the spec needs another one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt as _;

use crate::api::{AppStack, annotation};
use crate::model::child_name::ChildName;

/// Who approved a release and when, as far as the API tells: the tool that wrote the annotation. `None` if nobody did.
#[must_use]
pub fn approval(app: &AppStack, release: &ChildName) -> Option<String> {
    let approved = app.annotations().get(annotation::APPROVE)?;
    (approved == release.as_str()).then(|| {
        let entry = app.managed_fields().iter().find(|it| wrote_approval(it));
        let by = entry.and_then(|it| it.manager.clone());
        let at = entry.and_then(|it| it.time.as_ref());
        let at = at.map_or_else(String::new, |it| format!(" at {}", it.0));
        format!("{}{at}", by.unwrap_or_else(|| "somebody".into()))
    })
}

/// What is approved instead of the release.
#[must_use]
pub fn of_another(app: &AppStack, release: &ChildName) -> Option<String> {
    let approved = app.annotations().get(annotation::APPROVE)?;
    (approved != release.as_str()).then(|| approved.clone())
}

/// Whether a manager of an AppStack wrote its approval.
#[must_use]
pub fn wrote_approval(manager: &ManagedFieldsEntry) -> bool {
    let fields = manager.fields_v1.as_ref();
    let annotations = fields.map(|it| &it.0["f:metadata"]["f:annotations"]);
    let key = format!("f:{}", annotation::APPROVE);
    annotations.is_some_and(|it| it.get(&key).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::model::names::Names;

    #[test]
    fn an_approval_is_for_one_release_and_names_the_tool_that_gave_it() {
        let mut app = fixtures::app("");
        app.metadata = serde_saphyr::from_str(
            "{name: shop, annotations: {appstack.dev/approve: shop-1}, managedFields: [
               {manager: kubectl-create, operation: Update, fieldsV1: {f:spec: {}}},
               {manager: kubectl-annotate, operation: Update, time: '2026-01-02T03:04:05Z',
                fieldsV1: {f:metadata: {f:annotations: {f:appstack.dev/approve: {}}}}}]}",
        )
        .unwrap();
        let name = |hash: &str| Names::of("shop").release(&hash.into());
        let by = approval(&app, &name("1"));
        assert_eq!(
            by.as_deref(),
            Some("kubectl-annotate at 2026-01-02T03:04:05Z")
        );
        assert_eq!(of_another(&app, &name("1")), None);
        assert_eq!(approval(&app, &name("2")), None);
        assert_eq!(of_another(&app, &name("2")).as_deref(), Some("shop-1"));
    }
}
