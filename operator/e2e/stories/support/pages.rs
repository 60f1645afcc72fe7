//! Images of the demo's frontend with other pages, as those of later releases have.

use std::path::Path;

use local_cluster::images::dockerfile;
use local_cluster::{Image, Progress, folders};

use super::World;

const FRONTEND: &str = "ghcr.io/appstack-dev/demo-frontend";

impl World {
    /// Builds and loads an image of the demo's frontend with the pages in `dist` of a folder, and gives its name.
    pub(crate) async fn loads_pages(&self, tag: &str, folder: &Path) -> String {
        let frontend = folders::in_repository("app/frontend");
        let dockerfile = frontend.join("Dockerfile");
        let copied = dockerfile::copied(&std::fs::read_to_string(&dockerfile).unwrap());
        for file in copied.iter().filter(|it| *it != "dist/") {
            std::fs::copy(frontend.join(file), folder.join(file)).unwrap();
        }
        let name = format!("{FRONTEND}:{tag}");
        let image = Image::new(&name, dockerfile, folder);
        let progress = Progress::new();
        let image = self.cluster.build(&image, &progress).await.unwrap();
        self.cluster.load(&image).await.unwrap();
        name
    }
}
