//! Whose assets a frontend serves beside its own: a page that is open in a browser goes on asking for those of its
//! release.
//!
//! Invariant: pure. The release that serves keeps the list that it was verified with, whatever is recorded or forgotten
//! later: another list would be another pod template, and so a restart of what serves.

use crate::model::identity::ReleaseHash;
use crate::model::inputs::Records;
use crate::release::history;

/// The init container that copies the assets of the frontend's own image.
pub const OWN: &str = "assets";

/// The init container that copies the assets of the earlier image with this number; 1 is the oldest.
#[must_use]
pub fn older(number: usize) -> String {
    format!("{OWN}-{number}")
}

/// Whether an init container copies the assets of an earlier image.
#[must_use]
pub fn is_older(container: &str) -> bool {
    let rest = container.strip_prefix(OWN);
    let number = rest.and_then(|it| it.strip_prefix('-'));
    number.is_some_and(|it| it.parse::<usize>().is_ok())
}

/// The earlier images whose assets a release serves beside those of its `own`, oldest first: of those that served last,
/// each once, at `most` so many.
///
/// What the serving release itself serves on comes before what is recorded: records are forgotten, and a release that
/// changes nothing of the frontend must not change its pods for that.
#[must_use]
pub fn images(records: &Records, release: &ReleaseHash, own: &str, most: usize) -> Vec<String> {
    let serving = history::serving(records);
    if let Some(serving) = serving.filter(|it| it.hash == *release) {
        return serving.assets.clone();
    }
    let its_own = serving.and_then(history::frontend_image);
    let served_on = serving.iter().flat_map(|it| it.assets.iter().rev());
    let recorded = history::newest_first(records).into_iter();
    let candidates = its_own
        .into_iter()
        .chain(served_on.cloned())
        .chain(recorded.filter_map(history::frontend_image));
    let mut images: Vec<String> = Vec::new();
    for image in candidates {
        if images.len() < most && image != own && !images.contains(&image) {
            images.push(image);
        }
    }
    images.reverse();
    images
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodSpec;

    use super::*;
    use crate::api::{AppStack, Assets};
    use crate::build::{self, Direction};
    use crate::fixtures::{self, keep};
    use crate::model::inputs::Inputs;
    use crate::model::object::Object;
    use crate::model::stack::Stack;
    use crate::plan::{self, Plan, Serving};
    use crate::settings::ClusterSettings;

    /// A stack with this version of the frontend and these fields more.
    fn app(version: &str, more: &str) -> AppStack {
        fixtures::app(&format!(
            "{more} frontend: {{image: 'a/f:{version}', assets: {{path: /assets, releases: 2}}}}"
        ))
    }

    /// What is known of a stack that served these versions, one after the other.
    fn served(versions: &[&str]) -> Inputs {
        let mut inputs = Inputs::offline(&app("1", ""));
        inputs.stored_certificate.clone_from(&inputs.certificate);
        for version in versions {
            let stack = requested(&app(version, ""), &inputs);
            keep(&mut inputs, &stack);
        }
        inputs
    }

    /// The requested release.
    fn requested(app: &AppStack, inputs: &Inputs) -> Stack {
        let settings = ClusterSettings::default();
        let serving = plan::serving(app, inputs, &settings);
        let plan = Plan::new(app, inputs, &settings, &serving).unwrap();
        plan.requested
    }

    /// The name of the frontend's Deployment, which changes with its pods.
    fn revision(stack: &Stack) -> String {
        frontend(stack).0
    }

    /// The name of the frontend's Deployment, and its pods.
    fn frontend(stack: &Stack) -> (String, PodSpec) {
        let desired = build::build(stack, Direction::Forward);
        let found = desired.objects().find_map(|it| match it {
            Object::Deployment(it)
                if it.spec.as_ref()?.template.spec.as_ref()?.containers[0].name == "frontend" =>
            {
                Some((it.metadata.name.clone()?, it.spec.clone()?.template.spec?))
            }
            _ => None,
        });
        found.unwrap()
    }

    #[test]
    fn assets_of_the_images_that_served_last_are_served_on_each_once() {
        assert_eq!(
            requested(&app("1", ""), &served(&[])).older_assets(),
            [""; 0]
        );
        let older = |version: &str| {
            requested(&app(version, ""), &served(&["1", "2", "3"]))
                .older_assets()
                .to_vec()
        };
        assert_eq!(older("4"), ["a/f:2", "a/f:3"]);
        assert_eq!(older("2"), ["a/f:1", "a/f:3"], "beside its own");
        let again = served(&["1", "2", "1"]);
        assert_eq!(
            requested(&app("3", ""), &again).older_assets(),
            ["a/f:2", "a/f:1"]
        );
    }

    #[test]
    fn none_are_where_that_is_not_asked_for() {
        let inputs = served(&["1", "2"]);
        let mut app = app("3", "");
        let mut stack_with = |assets: Option<Assets>| {
            app.spec.frontend.as_mut().unwrap().assets = assets;
            requested(&app, &inputs)
        };
        let none = stack_with(Some(Assets {
            path: "/assets".into(),
            releases: Some(0),
        }));
        let stack = stack_with(None);
        assert_eq!(revision(&stack), revision(&none));
        assert_eq!(frontend(&stack).1.init_containers, None);
    }

    #[test]
    fn earlier_images_copy_before_the_own_one_whose_files_so_win() {
        let pod = frontend(&requested(&app("3", ""), &served(&["1", "2"]))).1;
        let copies = pod.init_containers.unwrap();
        let order: Vec<_> = copies
            .iter()
            .map(|it| (&*it.name, it.image.as_deref().unwrap()))
            .collect();
        assert_eq!(
            order,
            [
                ("assets-1", "a/f:1"),
                ("assets-2", "a/f:2"),
                ("assets", "a/f:3")
            ]
        );
        assert!(copies.iter().all(|it| it.env.is_none()));
        let mounts = pod.containers[0].volume_mounts.clone().unwrap();
        let mount = mounts
            .into_iter()
            .find(|it| it.mount_path == "/assets")
            .unwrap();
        assert_eq!((&*mount.name, mount.read_only), ("assets", Some(true)));
        assert!(is_older("assets-1") && !is_older("assets") && !is_older("assets-of-mine"));
    }

    #[test]
    fn copies_run_as_the_user_says_of_the_frontend() {
        let mut app = app("2", "");
        let template = "{spec: {containers: [{name: frontend, imagePullPolicy: Never, securityContext: {runAsUser: 7}}]}}";
        app.spec.frontend.as_mut().unwrap().pod_template =
            serde_saphyr::from_str(template).unwrap();
        let pod = frontend(&requested(&app, &served(&["1"]))).1;
        for copy in pod.init_containers.unwrap() {
            let security = copy.security_context.unwrap();
            assert_eq!(security.run_as_user, Some(7));
            assert_eq!(security.read_only_root_filesystem, Some(true));
            assert_eq!(copy.image_pull_policy.as_deref(), Some("Never"));
        }
    }

    #[test]
    fn a_release_keeps_its_pods_when_it_becomes_the_one_that_serves() {
        let mut inputs = served(&["1", "2"]);
        let app = app("3", "");
        let stack = requested(&app, &inputs);
        keep(&mut inputs, &stack);
        assert_eq!(revision(&requested(&app, &inputs)), revision(&stack));

        // Whatever is forgotten, and also while it sleeps.
        inputs
            .records
            .releases
            .retain(|it| it.hash == stack.release);
        assert_eq!(revision(&requested(&app, &inputs)), revision(&stack));
        let asleep = self::app("4", "hibernate: true,");
        let settings = ClusterSettings::default();
        let serving = plan::serving(&asleep, &inputs, &settings);
        let plan = Plan::new(&asleep, &inputs, &settings, &serving).unwrap();
        assert_eq!(revision(&plan.target), revision(&stack));
    }

    #[test]
    fn the_way_back_leads_to_the_pods_that_are_there() {
        let inputs = served(&["1", "2", "3"]);
        let before = revision(&requested(&app("3", ""), &inputs));
        let Serving::Release(served) =
            plan::serving(&app("4", ""), &inputs, &ClusterSettings::default())
        else {
            panic!("nothing serves");
        };
        assert_eq!(revision(&served.stack), before);
    }

    #[test]
    fn a_pinned_release_serves_the_assets_of_those_that_served_since() {
        let mut inputs = served(&["1", "2", "3"]);
        let first = requested(&app("1", ""), &inputs);
        assert_eq!(first.release, inputs.records.releases[0].hash);
        let pin = format!("rollout: {{pin: {}}},", first.names.release(&first.release));
        let app = app("3", &pin);
        let stack = requested(&app, &inputs);
        assert_eq!(stack.older_assets(), ["a/f:2", "a/f:3"]);
        keep(&mut inputs, &stack);
        assert_eq!(revision(&requested(&app, &inputs)), revision(&stack));
    }

    #[test]
    fn a_release_of_the_backend_alone_keeps_the_pods_of_the_frontend() {
        let mut inputs = served(&["1", "2", "3"]);
        let before = revision(&requested(&app("3", ""), &inputs));
        let mut app = app("3", "");
        app.spec.backend.workers = Some(7);
        let last = inputs.records.releases.pop().unwrap();
        inputs.records.releases = vec![last];
        assert_eq!(revision(&requested(&app, &inputs)), before);
    }
}
