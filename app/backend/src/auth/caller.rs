//! The caller, as the access token and the database know him. A route that takes one of these is closed
//! to everybody else.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};

use super::{Claims, Purpose};
use crate::{problem::Error, state::AppState, user::User};

/// What the caller's token says. The database was not asked yet: a route that takes this has its own
/// statement look whether the token is void.
#[derive(Debug)]
pub struct Unchecked(pub Claims);

/// The user who calls.
#[derive(Debug)]
pub struct CurrentUser(pub User);

/// The user who calls, who is a superuser.
#[derive(Debug)]
pub struct Superuser(pub User);

impl FromRequestParts<AppState> for Unchecked {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Error> {
        claims(parts, state).map(Self).ok_or(Error::Unauthenticated)
    }
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Error> {
        let Unchecked(claims) = Unchecked::from_request_parts(parts, state).await?;
        let user = User::of_token(&claims, &state.db).await?;
        user.map(Self).ok_or(Error::Unauthenticated)
    }
}

impl FromRequestParts<AppState> for Superuser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Error> {
        let CurrentUser(user) = CurrentUser::from_request_parts(parts, state).await?;
        if user.is_superuser {
            Ok(Self(user))
        } else {
            Err(Error::refused(
                StatusCode::FORBIDDEN,
                "This is for superusers only.",
            ))
        }
    }
}

fn claims(parts: &Parts, state: &AppState) -> Option<Claims> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| state.tokens.read(Purpose::Access, token.trim()))
        .flatten()
}
