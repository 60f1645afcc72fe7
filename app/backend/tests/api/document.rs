//! The description of the API, and the pages to try it.

use axum::http::StatusCode;
use backend::openapi;
use serde_json::Value;

use crate::app::{App, ITEMS, LOGIN};

/// The client of the frontend is generated from this file. When this fails and the change is meant, run
/// `EXPECTORATE=overwrite cargo test -p backend`, then `npm run generate` in app/frontend.
#[test]
fn the_document_that_the_frontend_builds_on_is_up_to_date() {
    expectorate::assert_contents("../frontend/openapi.json", &openapi::document().unwrap());
}

#[tokio::test]
async fn the_documentation_is_served_from_the_program_itself() {
    let app = App::without_database();
    let page = app.anyone().get("/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&page.body).contains("swagger-ui"));
    let document = app.anyone().get("/api/v1/openapi.json").await;
    let document = document.expect(StatusCode::OK);
    assert!(document["paths"][ITEMS]["post"].is_object());
    let scheme = &document["components"]["securitySchemes"]["login"];
    // A path alone: the pages log in where they were loaded from.
    assert_eq!(scheme["flows"]["password"]["tokenUrl"], LOGIN);
}

#[tokio::test]
async fn the_document_tells_which_routes_want_a_token() {
    let app = App::without_database();
    let document: Value = serde_json::from_str(&openapi::document().unwrap()).unwrap();
    let mut closed = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let path = path.replace("{id}", "019ab2a5-0000-7000-8000-000000000000");
            let method = method.to_uppercase().parse().unwrap();
            let answer = app.anyone().call(method, &path, None).await;
            let is_closed = answer.status == StatusCode::UNAUTHORIZED;
            assert_eq!(is_closed, operation["security"].is_array(), "{operation}");
            assert_eq!(
                is_closed,
                operation["responses"]["401"].is_object(),
                "{operation}"
            );
            closed += u8::from(is_closed);
        }
    }
    assert!(closed > 10, "{closed}");
}
