//! The user: what clients see, and the statements that more than one route needs. Knows no request.

use secrecy::SecretString;
use serde::Serialize;
use sqlx::{FromRow, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    auth::{Claims, Passwords},
    problem::{Error, OnConstraint},
    rules::{self, EMAIL_RULE, FULL_NAME_RULE, Fields},
};

/// Named one by one: with `*` a column that the next release adds would break the prepared statements
/// of the running one.
macro_rules! columns {
    () => {
        "id, email, full_name, is_active, is_superuser, created_at"
    };
}
pub(crate) use columns;

/// The condition that a token is not void, with its user as $1 and its version as $2.
macro_rules! of_token {
    () => {
        "users.id = $1 and users.token_version = $2 and users.is_active"
    };
}
pub(crate) use of_token;

/// A user.
#[derive(Debug, Serialize, FromRow, ToSchema)]
pub struct User {
    /// Ids grow with time.
    pub id: Uuid,
    /// Trimmed and in lower case.
    #[schema(format = Email, example = "ada@example.com")]
    pub email: String,
    /// Null when there is none.
    #[schema(required)]
    pub full_name: Option<String>,
    /// Whether this user may log in.
    pub is_active: bool,
    /// Whether this user may manage users.
    pub is_superuser: bool,
    /// When this user was made.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub created_at: jiff::Timestamp,
}

impl User {
    /// The user of a token, unless it is void.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of_token(claims: &Claims, db: &PgPool) -> Result<Option<Self>, Error> {
        let user = sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from users where ",
            of_token!()
        ));
        Ok(user
            .bind(claims.sub)
            .bind(claims.ver)
            .fetch_optional(db)
            .await?)
    }
}

/// A user to be made, of checked fields.
#[derive(Debug)]
pub struct Creation {
    /// In its one spelling.
    pub email: String,
    /// The hash of the password.
    pub password_hash: String,
    /// None when there is none.
    pub full_name: Option<String>,
    /// Whether this user may log in.
    pub is_active: bool,
    /// Whether this user may manage users.
    pub is_superuser: bool,
}

impl Creation {
    /// An ordinary user with these fields, which are checked before the password costs a hash.
    ///
    /// # Errors
    /// With all fields that break a rule, or with `Busy` when too many wait for a hash.
    pub async fn checked(
        email: &str,
        password: SecretString,
        full_name: Option<String>,
        passwords: &Passwords,
    ) -> Result<Self, Error> {
        let mut fields = Fields::default();
        let email = fields.take("email", rules::email(email));
        let full_name = fields.take("full_name", rules::full_name(full_name));
        fields.take("password", rules::password(&password));
        fields.done()?;
        Ok(Self {
            email,
            password_hash: passwords.hash(password).await?,
            full_name,
            is_active: true,
            is_superuser: false,
        })
    }

    /// Makes the user.
    ///
    /// # Errors
    /// With the field when the email is taken.
    pub async fn insert(self, db: &PgPool) -> Result<User, Error> {
        sqlx::query_as(concat!(
            "insert into users (id, email, password_hash, full_name, is_active, is_superuser)
             values ($1, $2, $3, $4, $5, $6) returning ",
            columns!()
        ))
        .bind(Uuid::now_v7())
        .bind(self.email)
        .bind(self.password_hash)
        .bind(self.full_name)
        .bind(self.is_active)
        .bind(self.is_superuser)
        .fetch_one(db)
        .await
        .on_constraint(rule)
    }
}

/// A change of a user, of checked fields. What is none stays as it is.
#[derive(Debug, Default)]
pub struct Change {
    /// In its one spelling.
    pub email: Option<String>,
    /// The hash of the password. Voids all tokens.
    pub password_hash: Option<String>,
    /// `Some(None)` takes the name away.
    pub full_name: Option<Option<String>>,
    /// False voids all tokens.
    pub is_active: Option<bool>,
    /// Whether this user may manage users.
    pub is_superuser: Option<bool>,
}

impl Change {
    /// Changes the user with this id, and returns it as it is now.
    ///
    /// # Errors
    /// With the field when the email is taken.
    pub async fn apply(self, id: Uuid, db: &PgPool) -> Result<Option<User>, Error> {
        sqlx::query_as(concat!(
            "update users set
                 email = coalesce($2, email),
                 password_hash = coalesce($3, password_hash),
                 full_name = case when $4 then $5 else full_name end,
                 is_active = coalesce($6, is_active),
                 is_superuser = coalesce($7, is_superuser),
                 token_version = token_version + ($3 is not null or not coalesce($6, true))::int
             where id = $1 returning ",
            columns!()
        ))
        .bind(id)
        .bind(self.email)
        .bind(self.password_hash)
        .bind(self.full_name.is_some())
        .bind(self.full_name.flatten())
        .bind(self.is_active)
        .bind(self.is_superuser)
        .fetch_optional(db)
        .await
        .on_constraint(rule)
    }
}

/// The rule that a constraint of the table stands for.
fn rule(constraint: &str) -> Option<Error> {
    Some(match constraint {
        "users_email_unique" => Error::taken("email", "is taken"),
        "users_email_length" => Error::invalid("email", EMAIL_RULE),
        "users_full_name_length" => Error::invalid("full_name", FULL_NAME_RULE),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constraint_of_the_table_has_its_rule() {
        let schema = include_str!("../migrations/0001_create_users.sql");
        let mut names = schema
            .split("constraint ")
            .skip(1)
            .filter_map(|s| s.split(' ').next());
        assert!(names.clone().count() > 1);
        assert!(names.all(|name| rule(name).is_some()));
    }
}
