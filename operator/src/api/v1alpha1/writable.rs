//! The rules of `writablePaths`, which backend and frontend share.
//!
//! Invariant: data only, as everything of `v1alpha1`.

use kube::core::Rule;

/// What a path looks like.
pub(super) fn absolute() -> Rule {
    Rule::new("self.all(it, it.matches('^(/[^/:[:cntrl:]]+)+$') && !it.matches('/[.][.]?(/|$)'))")
        .message("writablePaths: absolute paths such as /var/cache/app, each of a folder below /, without . or .. as a part, without a slash at its end, and without ':' and control characters")
}

/// What is writable anyway.
pub(super) fn not_tmp() -> Rule {
    Rule::new("!('/tmp' in self)").message("writablePaths: /tmp is writable already; leave it out")
}

/// What the container runtime mounts itself.
pub(super) fn not_of_the_kernel() -> Rule {
    Rule::new("!self.exists(it, it == '/dev' || it.matches('^/(proc|sys)(/|$)'))").message(
        "writablePaths: not /dev, /proc or /sys, which are the kernel's; name a folder of the application",
    )
}
