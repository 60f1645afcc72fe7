//! The problems that an operation can answer with, as sets for its description. Each is named for what
//! an operation has that can go wrong.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use crate::problem::{MEDIA_TYPE, Problem};

/// It asks the database.
pub(crate) struct OnDatabase;
/// It knows who calls.
pub(crate) struct OnUser;
/// It is for superusers.
pub(crate) struct OnSuperuser;
/// It takes a body.
pub(crate) struct OnBody;
/// It takes a query.
pub(crate) struct OnQuery;
/// It is about one thing, named by its id.
pub(crate) struct OnId;
/// It writes an email address, of which each is used once.
pub(crate) struct OnEmail;
/// It waits for the mail server.
pub(crate) struct OnMail;
/// It is not for the caller's own account.
pub(crate) struct OnSelf;

impl IntoResponses for OnDatabase {
    fn responses() -> Responses {
        problems([("503", "The service can't answer now, but may soon.")])
    }
}

impl IntoResponses for OnUser {
    fn responses() -> Responses {
        problems([(
            "401",
            "The access token is missing, forged, expired or void.",
        )])
    }
}

impl IntoResponses for OnSuperuser {
    fn responses() -> Responses {
        let mut all = OnUser::responses();
        all.append(&mut problems([("403", "The caller is no superuser.")]));
        all
    }
}

impl IntoResponses for OnBody {
    fn responses() -> Responses {
        problems([
            ("400", "The body is malformed."),
            ("413", "The body is too large."),
            ("415", "The body has the wrong media type."),
            (
                "422",
                "Fields are missing, unknown, of the wrong type, or break a rule.",
            ),
        ])
    }
}

impl IntoResponses for OnQuery {
    fn responses() -> Responses {
        problems([("422", "Parameters are of the wrong type, or break a rule.")])
    }
}

impl IntoResponses for OnId {
    fn responses() -> Responses {
        problems([("404", "There is no such thing, or it is another user's.")])
    }
}

impl IntoResponses for OnEmail {
    fn responses() -> Responses {
        problems([("409", "The email address is taken.")])
    }
}

impl IntoResponses for OnMail {
    fn responses() -> Responses {
        problems([
            ("409", "No mail server is set up."),
            ("502", "The mail server did not take the letter."),
        ])
    }
}

impl IntoResponses for OnSelf {
    fn responses() -> Responses {
        problems([("409", "That is the caller, who is a superuser.")])
    }
}

type Responses = BTreeMap<String, RefOr<Response>>;

fn problems<const N: usize>(told: [(&str, &str); N]) -> Responses {
    told.into_iter()
        .map(|(status, description)| (status.to_owned(), problem(description).into()))
        .collect()
}

fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    ResponseBuilder::new()
        .description(description)
        .content(
            MEDIA_TYPE,
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .build()
}
