//! The bridge between releases: a volume in the place of the frontend's assets. Before a pod starts, earlier images copy
//! theirs into it, and then the pod's own image does.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, PodTemplateSpec, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::build::workload::{deployment, pod};
use crate::model::manifests::Manifests;
use crate::model::names::volume;
use crate::model::stack::{Assets, Frontend, Stack};
use crate::release::assets;

/// Where the images find it while they copy; the folder that it is to take the place of is still their own then.
const BRIDGE: &str = "/etc/appstack/assets";
/// Far more than assets take; a folder that was named by mistake must not fill the node.
const SIZE: &str = "1Gi";

/// Copies the folder `$0` to `$1`. An image of long ago may not have the folder. Images may have different users, each of
/// whom must be able to write over what is there; the folder `$1` itself is nobody's to change.
const COPY_OLDER: &str = r#"if [ -d "$0" ]; then
  cp -Rf "$0/." "$1" || exit
  chmod -R a+rwX "$1"/* 2>/dev/null || :
fi"#;
/// The same of the image's own folder, which must be there.
const COPY_OWN: &str = r#"if [ ! -d "$0" ]; then
  echo "spec.frontend.assets.path: there is no folder $0 in the image" >&2
  exit 1
fi
cp -Rf "$0/." "$1""#;

/// The containers that copy, in their order: of one name the file of the last one stays.
pub(in crate::build) fn copies(frontend: &Frontend, assets: &Assets) -> Vec<Container> {
    let older = (1..).zip(&assets.older).map(|(number, image)| {
        let name = assets::older(number);
        copy(frontend, assets, name, image, COPY_OLDER)
    });
    let own = copy(
        frontend,
        assets,
        assets::OWN.into(),
        &frontend.image,
        COPY_OWN,
    );
    older.chain([own]).collect()
}

/// The same manifests with copies of the images whose assets the release serves on now. A release that is brought back serves
/// those of the releases that served since; all else of its pods is as it was.
pub(in crate::build) fn brought(mut manifests: Manifests, stack: &Stack) -> Manifests {
    let older = stack.older_assets();
    let name = stack.names.frontend();
    if let Some(part) = &mut manifests.frontend {
        let serving = part.serving().cloned();
        let replaced = serving.and_then(|it| Some((it.clone(), with_copies(it, older)?)));
        if let Some((before, template)) = replaced {
            deployment::replace_template(part, &name, &before, template);
        }
    }
    manifests
}

/// The template of a Deployment with copies of these images before its own; `None` if it has just them, or none at all.
fn with_copies(deployment: Deployment, older: &[String]) -> Option<PodTemplateSpec> {
    let mut template = deployment.spec?.template;
    let spec = template.spec.as_mut()?;
    let before = spec.init_containers.take()?;
    let own = before.iter().find(|it| it.name == assets::OWN)?.clone();
    let (copies, mut rest): (Vec<_>, Vec<_>) = before
        .into_iter()
        .partition(|it| assets::is_older(&it.name));
    if copies
        .iter()
        .map(|it| it.image.as_ref())
        .eq(older.iter().map(Some))
    {
        return None;
    }
    let of_older = |(number, image): (usize, &String)| {
        let mut copy = own.clone();
        copy.name = assets::older(number);
        copy.image = Some(image.clone());
        if let Some(script) = copy.command.as_mut().and_then(|it| it.get_mut(2)) {
            COPY_OLDER.clone_into(script);
        }
        copy
    };
    let mut all: Vec<_> = (1..).zip(older).map(of_older).collect();
    all.append(&mut rest);
    spec.init_containers = Some(all);
    Some(template)
}

/// It gets what the frontend gets, which costs nothing beside it and satisfies the same quota.
fn copy(
    frontend: &Frontend,
    assets: &Assets,
    name: String,
    image: &str,
    script: &str,
) -> Container {
    Container {
        name,
        image: Some(image.to_owned()),
        command: Some(
            ["sh", "-c", script, &assets.path, BRIDGE]
                .map(str::to_owned)
                .into(),
        ),
        resources: Some(frontend.resources.clone()),
        volume_mounts: Some(vec![pod::mount(volume::ASSETS, BRIDGE)]),
        ..Container::default()
    }
}

/// The volume of all assets.
pub(in crate::build) fn volume() -> Volume {
    Volume {
        name: volume::ASSETS.into(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(SIZE.into())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Where the frontend serves it.
pub(in crate::build) fn served(assets: &Assets) -> VolumeMount {
    VolumeMount {
        read_only: Some(true),
        ..pod::mount(volume::ASSETS, &assets.path)
    }
}
