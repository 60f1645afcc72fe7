//! What answers visitors of a stack in maintenance: 503 at every path, as a page for people and as JSON for programs.
//!
//! Invariant: it knows nothing of the cluster, and no request changes anything.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The page, with places for the words.
const PAGE: &str = include_str!("maintenance/page.html");
/// After how many seconds it is worth to ask again; pages do so by themselves.
const RETRY: &str = "30";

/// The words of one language.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    /// Its primary tag (RFC 5646).
    lang: &'static str,
    title: &'static str,
    text: &'static str,
    again: &'static str,
}

/// The first is what everybody gets who asked for none of them.
const LANGUAGES: [Words; 3] = [
    Words {
        lang: "en",
        title: "We will be right back",
        text: "This site is being worked on. Nothing is lost: it comes back as you left it.",
        again: "The page looks again by itself every half minute.",
    },
    Words {
        lang: "fr",
        title: "Nous revenons tout de suite",
        text: "Ce site est en cours de maintenance. Rien n’est perdu : vous le retrouverez comme vous l’avez laissé.",
        again: "La page vérifie d’elle-même toutes les trente secondes.",
    },
    Words {
        lang: "de",
        title: "Wir sind gleich wieder da",
        text: "An dieser Seite wird gerade gearbeitet. Nichts geht verloren: Sie finden alles so wieder, wie Sie es verlassen haben.",
        again: "Die Seite schaut alle dreißig Sekunden von selbst nach.",
    },
];

/// Answers until it is told to stop. `page` is the user's own page; while there is no such file, ours is shown.
///
/// # Errors
/// When nothing can listen at the address.
pub fn serve(address: SocketAddr, page: Option<PathBuf>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        axum::serve(listener, router(page))
            .with_graceful_shutdown(async move {
                terminate.recv().await;
            })
            .await
            .context("the server failed")
    })
}

fn router(page: Option<PathBuf>) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(page))
}

async fn answer(State(page): State<Arc<Option<PathBuf>>>, headers: HeaderMap) -> Response {
    let asked = |name: HeaderName| {
        let value = headers.get(name).and_then(|it| it.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let words = words(&asked(header::ACCEPT_LANGUAGE));
    let common = [
        (header::RETRY_AFTER, RETRY),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept, Accept-Language"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let status = StatusCode::SERVICE_UNAVAILABLE;
    if !asked(header::ACCEPT).contains("text/html") {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        let body = r#"{"detail":"in maintenance, try again later"}"#;
        return (status, common, kind, body).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    if let Some(page) = own(page.as_deref()).await {
        return (status, common, kind, page).into_response();
    }
    let language = [(header::CONTENT_LANGUAGE, words.lang)];
    (status, common, kind, language, written(words)).into_response()
}

/// The user's page, read each time: it may be changed while it is shown.
async fn own(page: Option<&Path>) -> Option<Vec<u8>> {
    tokio::fs::read(page?).await.ok()
}

fn written(words: &Words) -> String {
    [
        ("{lang}", words.lang),
        ("{seconds}", RETRY),
        ("{title}", words.title),
        ("{text}", words.text),
        ("{again}", words.again),
    ]
    .into_iter()
    .fold(PAGE.to_owned(), |page, (place, text)| {
        page.replace(place, text)
    })
}

/// The words in the language that a visitor likes best of those that there are (`Accept-Language`, RFC 9110 12.5.4).
fn words(accepted: &str) -> &'static Words {
    let weighted = accepted.split(',').filter_map(|it| {
        let (tag, parameter) = it.split_once(';').unwrap_or((it, ""));
        let weight = parameter.trim().strip_prefix("q=");
        let weight: f32 = weight.map_or(Some(1.0), |it| it.parse().ok())?;
        let primary = tag.trim().split('-').next()?.to_ascii_lowercase();
        let found = LANGUAGES.iter().find(|it| it.lang == primary)?;
        (weight > 0.0).then_some((weight, found))
    });
    // Of equals the first.
    let best = weighted.reduce(|best, it| if it.0 > best.0 { it } else { best });
    best.map_or(&LANGUAGES[0], |(_, words)| words)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn asked(page: Option<PathBuf>, accept: &str, language: &str) -> (HeaderMap, String) {
        let request = Request::post("/any/path?at=all")
            .header(header::ACCEPT, accept)
            .header(header::ACCEPT_LANGUAGE, language)
            .body(Body::from("an upload"))
            .unwrap();
        let answer = router(page).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[header::RETRY_AFTER], RETRY);
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_visitor_gets_the_language_that_is_liked_best_of_those_that_there_are() {
        for (accepted, lang) in [
            ("", "en"),
            ("*", "en"),
            ("de", "de"),
            ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
            ("ja, de-CH;q=0.4, en;q=0.3", "de"),
            ("en;q=0.3, FR;q=0.9", "fr"),
            ("de;q=0, fr;q=x", "en"),
            (";;,q=,-", "en"),
        ] {
            assert_eq!(words(accepted).lang, lang, "{accepted}");
        }
    }

    #[test]
    fn no_page_has_a_place_without_words() {
        for words in &LANGUAGES {
            let page = written(words);
            assert!(page.contains(words.title) && page.contains(words.again));
            for place in ["{lang}", "{seconds}", "{title}", "{text}", "{again}"] {
                assert!(!page.contains(place), "{place}");
            }
        }
    }

    #[tokio::test]
    async fn people_get_a_page_and_programs_json() {
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        let (headers, page) = asked(None, browser, "de").await;
        assert_eq!(headers[header::CONTENT_LANGUAGE], "de");
        assert!(page.contains("Wir sind gleich wieder da"), "{page}");
        let (headers, text) = asked(None, "*/*", "de").await;
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(json["detail"].is_string());
    }

    #[tokio::test]
    async fn a_page_of_ones_own_is_shown_while_it_is_there() {
        let name = format!("maintenance-{}.html", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, "closed for good").unwrap();
        let (_, page) = asked(Some(file.clone()), "text/html", "").await;
        assert_eq!(page, "closed for good");
        std::fs::remove_file(&file).unwrap();
        let (_, page) = asked(Some(file), "text/html", "").await;
        assert!(page.contains(LANGUAGES[0].title));
    }
}
