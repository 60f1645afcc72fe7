//! The routes with their description: the `OpenAPI` document, and the pages to try it on.

use axum::{Router, body::Bytes, http::header, routing::get};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Flow, OAuth2, Password, Scopes, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::{http::header_if_missing, problem::Problem, routes, state::AppState};

pub(crate) mod problems;

const OPENAPI_PATH: &str = "/api/v1/openapi.json";

/// Relative to the host: the pages log in where they were loaded from.
const TOKEN_PATH: &str = "/api/v1/login/access-token";

/// Swagger UI needs its own files, inline styles and images.
const DOCS_CSP: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
                        img-src 'self' data:; frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AppStack demo",
        description = "The API of the demo application.\n\n\
            A field that may be null may also be left out, which means the same; but PATCH leaves as it is what \
            is left out. Fields that are not listed are refused. Strings must not hold the NUL character, and \
            their lengths are counted in code points."
    ),
    tags(
        (name = "login", description = "Access tokens, and what to do about a lost password"),
        (name = "users", description = "Accounts: one's own, and for superusers all"),
        (name = "items", description = "The list that each user has"),
        (name = "utils", description = "Probes, what is deployed, and a test of the mail"),
    ),
    components(schemas(Problem)),
    modifiers(&Login)
)]
struct Doc;

/// How to get a token.
struct Login;

impl Modify for Login {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let flow = Flow::Password(Password::new(TOKEN_PATH, Scopes::new()));
        let scheme = SecurityScheme::OAuth2(OAuth2::new([flow]));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("login", scheme);
    }
}

/// All routes, the document that describes them, and its pages. The document is written once: it is long.
pub(crate) fn router() -> serde_json::Result<Router<AppState>> {
    let (routes, document) = described().split_for_parts();
    let text = Bytes::from(document.to_json()?);
    let json = [(header::CONTENT_TYPE, "application/json")];
    let document = get(move || async move { (json, text) });
    Ok(routes.route(OPENAPI_PATH, document).merge(docs()))
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
