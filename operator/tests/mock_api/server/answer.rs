//! How requests are read and answers are written.

use axum::body::Body as Answer;
use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// The address in a path such as `/apis/apps/v1/namespaces/demo/deployments/shop-backend`.
pub(super) fn address(path: &str) -> String {
    let namespaced = path.split_once("/namespaces/");
    let namespaced = namespaced.and_then(|it| Some(it.1.split_once('/')?.1));
    let whole = path.trim_start_matches("/apis/").splitn(3, '/').nth(2);
    namespaced.or(whole).unwrap_or(path).to_owned()
}

/// Whether a request is a merge patch.
pub(super) fn is_merge(head: &http::request::Parts) -> bool {
    let kind = head.headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|it| it == "application/merge-patch+json")
}

/// A parameter of a request.
pub(super) fn parameter(head: &http::request::Parts, name: &str) -> Option<String> {
    let mut pairs = head.uri.query()?.split('&');
    let value = pairs.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

pub(super) fn refusal(code: u16) -> Response<Answer> {
    let reason = match code {
        404 => "NotFound",
        403 => "Forbidden",
        409 => "Conflict",
        422 => "Invalid",
        _ => "InternalError",
    };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": reason,
    });
    response(
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        &status,
    )
}

/// The refusal of an object for one of its fields.
pub(super) fn invalid(field: &str) -> Response<Answer> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": 422, "reason": "Invalid", "message": "field is immutable",
        "details": {"causes": [{"field": field, "reason": "FieldValueForbidden", "message": "field is immutable"}]},
    });
    response(StatusCode::UNPROCESSABLE_ENTITY, &status)
}

pub(super) fn response(code: StatusCode, body: &Value) -> Response<Answer> {
    let mut response = Response::new(Answer::from(body.to_string().into_bytes()));
    *response.status_mut() = code;
    response
}
