//! The routes with their description: the `OpenAPI` document, and the pages to try it on.

use axum::{Router, http::header, routing::get};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::{http::header_if_missing, routes, state::AppState};

const OPENAPI_PATH: &str = "/api/v1/openapi.json";

/// Swagger UI needs its own files, inline styles and images.
const DOCS_CSP: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
                        img-src 'self' data:; frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(
    info(title = "AppStack demo", description = "The API of the demo application."),
    tags(
        (name = "items", description = "The list that the page shows"),
        (name = "utils", description = "Probes, and what is deployed"),
    )
)]
struct Doc;

/// All routes, the document that describes them, and its pages.
pub(crate) fn router() -> Router<AppState> {
    let (routes, document) = described().split_for_parts();
    let document = get(move || async move { axum::Json(document) });
    routes.route(OPENAPI_PATH, document).merge(docs())
}

/// The description of the API, as the text of an `OpenAPI` document.
///
/// # Errors
/// When it can't be written as JSON.
pub fn document() -> serde_json::Result<String> {
    let document = described().split_for_parts().1;
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Doc::openapi()).nest("/api/v1", routes::router())
}

fn docs() -> Router<AppState> {
    let pages: Router<AppState> = SwaggerUi::new("/docs")
        .config(utoipa_swagger_ui::Config::from(OPENAPI_PATH))
        .into();
    pages.layer(header_if_missing(header::CONTENT_SECURITY_POLICY, DOCS_CSP))
}
