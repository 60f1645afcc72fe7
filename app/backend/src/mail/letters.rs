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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    /// The names try to break out of the HTML.
    fn shop() -> Config {
        config(&[
            ("PROJECT_NAME", "Bär & <b>Söhne</b>"),
            ("FRONTEND_HOST", "https://dashboard.example.com/"),
        ])
    }

    /// To look at a changed letter run `EXPECTORATE=overwrite cargo test -p backend` and open the file.
    #[track_caller]
    fn assert_letter(name: &str, letter: &Letter) {
        expectorate::assert_contents(format!("tests/letters/{name}.html"), &letter.html);
        expectorate::assert_contents(format!("tests/letters/{name}.txt"), &letter.text);
    }

    #[test]
    fn the_letter_for_a_new_password_holds_the_link() {
        let letter = reset_password(&shop(), "o'neil@example.com", "ey.to-k_en");
        assert_eq!(letter.subject, "Bär & <b>Söhne</b>: reset your password");
        let link = "https://dashboard.example.com/reset-password#token=ey.to-k_en";
        assert!(letter.text.contains(link) && letter.html.contains(&format!("href=\"{link}\"")));
        assert_letter("reset_password", &letter);
    }

    #[test]
    fn the_letter_for_a_new_account_leads_to_a_password() {
        let letter = welcome(&shop(), "new@example.com");
        assert_eq!(letter.subject, "Bär & <b>Söhne</b>: your account");
        assert_letter("welcome", &letter);
    }

    #[test]
    fn the_test_letter_says_that_it_works() {
        assert_letter("test", &test(&shop(), "admin@example.com"));
    }

    #[test]
    fn nothing_breaks_out_of_the_html() {
        let hostile = r#""><script>alert(1)</script>"#;
        let letter = reset_password(&shop(), hostile, hostile);
        assert!(!letter.html.contains("<script"), "{}", letter.html);
        assert!(!letter.html.contains("<b>"), "{}", letter.html);
        assert!(!letter.html.contains("href=\"\"") && !letter.html.contains("token=\""));
    }

    #[test]
    fn a_letter_shows_nothing_of_itself() {
        let letter = reset_password(&shop(), "me@example.com", "t0ken");
        assert_eq!(format!("{letter:?}"), "Letter");
    }
}
