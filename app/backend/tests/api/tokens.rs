//! Tokens that are not ours, or no longer.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use backend::auth::{Claims, Purpose};
use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

use crate::app::{App, Caller, ITEMS, ME, PREVIOUS_KEY, SECRET_KEY};

/// Everything that a token says, and what it is signed with.
fn sign(claims: &Value, key: &str) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    encode(&Header::default(), claims, &key).unwrap()
}

async fn claims(caller: &Caller<'_>) -> Value {
    let now = get_current_timestamp();
    json!({"sub": caller.id().await, "exp": now + 60, "iat": now, "purpose": "access", "ver": 0})
}

fn with(claims: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims.clone();
    claims[field] = value.into();
    claims
}

fn without(claims: &Value, field: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(field);
    claims
}

#[tokio::test]
async fn a_token_of_the_present_or_the_previous_key_is_believed() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let claims = claims(&ada).await;
    for key in [SECRET_KEY, PREVIOUS_KEY] {
        let token = sign(&claims, key);
        app.bearer(&token).get(ME).await.expect(StatusCode::OK);
        app.bearer(&token).get(ITEMS).await.expect(StatusCode::OK);
    }
    // New ones are of the present key.
    let Claims { sub, .. } = app.state.tokens.read(Purpose::Access, &ada.token).unwrap();
    let later = App::with(&[("SECRET_KEY_PREVIOUS", "")]).await;
    assert_eq!(
        later
            .state
            .tokens
            .read(Purpose::Access, &ada.token)
            .unwrap()
            .sub,
        sub
    );
    let old = sign(&claims, PREVIOUS_KEY);
    assert!(later.state.tokens.read(Purpose::Access, &old).is_none());
}

/// For the routes that ask for the user, and for the one that asks for user and items at once.
async fn refuse(app: &App, token: &str, why: &str) {
    for path in [ME, ITEMS] {
        let answer = app.bearer(token).get(path).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "a token {why}: {path}"
        );
        answer.problem(StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
    }
}

#[tokio::test]
async fn a_token_that_says_something_else_is_refused() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let good = claims(&ada).await;
    let now = get_current_timestamp();
    let nobody = "019ab2a5-0000-7000-8000-000000000000";
    for (claims, why) in [
        (with(&good, "exp", now - 60), "that has expired"),
        (with(&good, "exp", "never"), "of a day that is none"),
        (with(&good, "purpose", "reset"), "for another purpose"),
        (with(&good, "purpose", "any"), "for no purpose"),
        (with(&good, "ver", 1), "of another version"),
        (with(&good, "ver", -1), "of an impossible version"),
        (with(&good, "sub", nobody), "of who isn't there"),
        (with(&good, "sub", "' or true --"), "of nobody"),
        (without(&good, "sub"), "without a user"),
        (without(&good, "exp"), "without an end"),
        (without(&good, "purpose"), "without a purpose"),
        (without(&good, "ver"), "without a version"),
    ] {
        refuse(&app, &sign(&claims, SECRET_KEY), why).await;
    }
    let token = sign(&good, SECRET_KEY);
    app.bearer(&token).get(ME).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_we_did_not_sign_is_refused() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let good = claims(&ada).await;
    let token = sign(&good, SECRET_KEY);
    let other = sign(&with(&good, "iat", 1), "any");
    let [head, body, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other_body = other.split('.').nth(1).unwrap();
    // {"alg":"none"}, {"alg":"RS256"} and {"alg":"HS512"}
    let [none, rs256, hs512] = [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJIUzUxMiJ9",
    ];
    for (token, why) in [
        (sign(&good, "another key"), "of another key"),
        (sign(&good, ""), "of no key"),
        (format!("{none}.{body}."), "that nobody signed"),
        (
            format!("{none}.{body}.{signature}"),
            "that wants not to be verified",
        ),
        (
            format!("{rs256}.{body}.{signature}"),
            "of another algorithm",
        ),
        (
            format!("{hs512}.{body}.{signature}"),
            "of a similar algorithm",
        ),
        (
            format!("{head}.{other_body}.{signature}"),
            "that was changed",
        ),
        (format!("{head}.{body}"), "that was cut"),
        (
            format!("{head}.{body}.{}", &signature[1..]),
            "with half a signature",
        ),
        (
            format!("{head}.{body}.{signature}."),
            "with more than a signature",
        ),
        ("..".to_owned(), "of nothing"),
        ("a".repeat(8000), "that is none"),
    ] {
        refuse(&app, &token, why).await;
    }
    app.bearer(&token).get(ME).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_token_is_a_bearer_token() {
    let app = App::start().await;
    let token = app.user("ada").await.token;
    for (header, status) in [
        (format!("Bearer {token}"), StatusCode::OK),
        (format!("bearer  {token}"), StatusCode::OK),
        (format!("Basic {token}"), StatusCode::UNAUTHORIZED),
        (format!("Bearer{token}"), StatusCode::UNAUTHORIZED),
        (token, StatusCode::UNAUTHORIZED),
        ("Bearer".into(), StatusCode::UNAUTHORIZED),
        ("Bearer \u{fc}".into(), StatusCode::UNAUTHORIZED),
    ] {
        let request = Request::get(ME).header(header::AUTHORIZATION, &header);
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{header}");
    }
}
