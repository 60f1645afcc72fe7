//! Image references: which tag they get, and which version people see.

/// The image with `version` as its tag, unless it carries a tag or a digest of its own.
pub(crate) fn with_tag(image: &str, version: Option<&str>) -> String {
    match version {
        Some(version) if !is_complete(image) => format!("{image}:{version}"),
        // Without a version the image carries its own, or CEL would have refused the spec.
        _ => image.to_owned(),
    }
}

/// The version that people see: the spec's, else the tag of the image, else its digest.
pub(crate) fn version(version: Option<&str>, image: &str) -> String {
    let own = || {
        let image =
            image.split_once('@').map_or(
                image,
                |(name, digest)| {
                    if is_complete(name) { name } else { digest }
                },
            );
        image.rsplit_once(':').map_or(image, |(_, tag)| tag)
    };
    version.unwrap_or_else(own).to_owned()
}

/// Whether the image carries a tag or a digest. A colon before the last slash belongs to the registry's port.
fn is_complete(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.contains(':') || image.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_tag_gets_the_version() {
        assert_eq!(with_tag("ghcr.io/a/b", Some("v1")), "ghcr.io/a/b:v1");
        assert_eq!(with_tag("host:5000/a/b", Some("v1")), "host:5000/a/b:v1");
    }

    #[test]
    fn an_image_with_its_own_tag_or_digest_keeps_it() {
        assert_eq!(with_tag("a/b:2", Some("v1")), "a/b:2");
        assert_eq!(with_tag("a/b@sha256:0f", Some("v1")), "a/b@sha256:0f");
    }

    #[test]
    fn the_version_is_the_one_of_the_spec_or_of_the_image() {
        assert_eq!(version(Some("v1"), "a/b:2"), "v1");
        assert_eq!(version(None, "host:5000/a/b:2"), "2");
        assert_eq!(version(None, "a/b:2@sha256:0f"), "2");
        assert_eq!(version(None, "a/b@sha256:0f"), "0f");
    }
}
