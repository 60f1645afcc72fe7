//! `spec.frontend.assets`: files of earlier releases that are served on.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Files of earlier releases that are served on.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Assets {
    /// The folder of the image with the files whose names change with their content, such as
    /// `/usr/share/nginx/html/assets`. Before a pod starts, the files of earlier images and then those of its own are
    /// copied into a volume that takes the place of this folder; of one name the own file wins. It holds 1Gi in all. The
    /// images are asked to copy themselves, so each needs `sh` and `cp`: a distroless image cannot use this. An earlier
    /// image without this folder is passed over.
    #[schemars(length(min = 2, max = 200))]
    #[x_kube(validation = Rule::new("self.matches('^(/[A-Za-z0-9._@-]+)+$') && !self.matches('/[.][.]?(/|$)')")
        .message("assets.path: an absolute path such as /usr/share/nginx/html/assets, without . or .. and without a slash at its end"),
        validation = Rule::new("!self.matches('^/(tmp|etc/appstack)(/|$)')")
        .message("assets.path: not below /tmp or /etc/appstack, where other volumes are"))]
    pub path: String,

    /// How many earlier images' files are served on: those that served last, each once. They must stay in the registry
    /// for as long, since every new pod pulls them. Default: 2. With 0 the image's own files are served alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 5))]
    pub releases: Option<i32>,
}
