//! What ingress-nginx is told, all of it by annotations of the Ingress.
//!
//! Source: <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/>.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::Ingress;

use crate::model::stack::Stack;

const REDIRECT: &str = "nginx.ingress.kubernetes.io/ssl-redirect";
const BODY: &str = "nginx.ingress.kubernetes.io/proxy-body-size";
const READ: &str = "nginx.ingress.kubernetes.io/proxy-read-timeout";
/// A body of any size. Without it bodies end at one mebibyte, which nobody expects who uploads a file.
const ANY: &str = "0";

/// What is kept with a release.
pub(super) fn annotations(stack: &Stack) -> BTreeMap<String, String> {
    let redirect = (REDIRECT, stack.edge.redirect.to_string());
    let body = (BODY, ANY.to_owned());
    let all = [redirect, body].into_iter();
    all.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Says what the spec of now says of bodies and answers.
pub(super) fn limit(stack: &Stack, ingress: &mut Ingress) {
    if !stack.edge.proxy.is_nginx() {
        return;
    }
    let limits = &stack.edge.limits;
    let body = limits.max_body.map(|it| (BODY, it.to_string()));
    // It takes whole seconds, and counts them from one piece of the answer to the next.
    let read = limits.response_timeout;
    let read = read.map(|it| (READ, it.as_secs().max(1).to_string()));
    let annotations = ingress.metadata.annotations.get_or_insert_default();
    let said = body.into_iter().chain(read);
    annotations.extend(said.map(|(key, value)| (key.to_owned(), value)));
}
