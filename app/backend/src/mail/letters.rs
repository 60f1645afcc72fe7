//! What the letters say. The words are in `templates/mail`, each letter as HTML and as plain text; the
//! compiler checks that every value of a template is there, and the HTML escapes all of them.

use std::fmt;

use askama::Template;

use crate::config::Config;

/// A letter to one person. It shows nothing of itself in a log: links in it let people in.
#[derive(Clone)]
pub struct Letter {
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter")
    }
}

/// Lets somebody who forgot the password choose a new one.
#[must_use]
pub fn reset_password(config: &Config, to: &str, token: &str) -> Letter {
    let Config {
        project_name: project,
        frontend_host,
        ..
    } = config;
    // What follows the # is not sent to a server, so it gets into no log.
    let link = &format!("{frontend_host}/reset-password#token={token}");
    Letter {
        to: to.to_owned(),
        subject: format!("{project}: reset your password"),
        text: ResetPasswordText { project, to, link }.to_string(),
        html: ResetPasswordHtml { project, to, link }.to_string(),
    }
}

/// Tells somebody that an account was made for them. It holds no password.
#[must_use]
pub fn welcome(config: &Config, to: &str) -> Letter {
    let Config {
        project_name: project,
        frontend_host,
        ..
    } = config;
    let link = &format!("{frontend_host}/recover-password");
    Letter {
        to: to.to_owned(),
        subject: format!("{project}: your account"),
        text: WelcomeText { project, to, link }.to_string(),
        html: WelcomeHtml { project, to, link }.to_string(),
    }
}

/// Shows that mail gets through.
#[must_use]
pub fn test(config: &Config, to: &str) -> Letter {
    let Config {
        project_name: project,
        frontend_host: link,
        ..
    } = config;
    Letter {
        to: to.to_owned(),
        subject: format!("{project}: a test"),
        text: TestText { project, link }.to_string(),
        html: TestHtml { project, link }.to_string(),
    }
}

#[derive(Template)]
#[template(path = "mail/reset_password.html")]
struct ResetPasswordHtml<'a> {
    project: &'a str,
    to: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/reset_password.txt")]
struct ResetPasswordText<'a> {
    project: &'a str,
    to: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/welcome.html")]
struct WelcomeHtml<'a> {
    project: &'a str,
    to: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/welcome.txt")]
struct WelcomeText<'a> {
    project: &'a str,
    to: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/test.html")]
struct TestHtml<'a> {
    project: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/test.txt")]
struct TestText<'a> {
    project: &'a str,
    link: &'a str,
}
