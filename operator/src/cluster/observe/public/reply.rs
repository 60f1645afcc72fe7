//! Reads what a reply says: whether the application answers well, and if not, whether that is its own fault.
//!
//! Invariant: reads no more of a body than it may, waits for it no longer than it may, and judges by what the reply says
//! alone.

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes};
use hyper::{Response, StatusCode, Uri, header};
use tokio::time::{Instant, timeout_at};

use crate::api::HostStep;
use crate::cluster::observe::log::without_sequences;
use crate::model::observed::Answer;

/// How much of a body is read.
const BODY_BYTES: usize = 4 * 1024;
/// How many characters of a body are shown.
const BODY_CHARACTERS: usize = 200;

/// What a reply to the question for `url` says; its body is waited for until `deadline`.
pub(super) async fn read<B>(reply: Response<B>, url: &Uri, deadline: Instant) -> Answer
where
    B: Body<Data = Bytes> + Unpin,
{
    let (head, body) = reply.into_parts();
    if head.status.is_success() {
        return Answer::Good;
    }
    if head.status.is_redirection() {
        let location = head.headers.get(header::LOCATION);
        return redirected(url, head.status, location.and_then(|it| it.to_str().ok()));
    }
    bad(head.status, Start::of(body, deadline).await)
}

/// A redirect is a good answer, unless it leads to the other scheme of the same host: that is what something in front of
/// the application sends, or what visitors would go round in circles by.
fn redirected(url: &Uri, status: StatusCode, location: Option<&str>) -> Answer {
    let host = |it: &Uri| it.host().map(str::to_lowercase);
    let to = location.and_then(|it| it.parse::<Uri>().ok());
    let to = to.filter(|it| host(it) == host(url));
    match (url.scheme_str(), to.as_ref().and_then(Uri::scheme_str)) {
        (Some(from), Some(to)) if from != to => on_the_way(
            status,
            format!(
                "{from} is redirected to {to} on the same host, which is not how this stack is reached"
            ),
        ),
        _ => Answer::Good,
    }
}

fn bad(status: StatusCode, body: Start) -> Answer {
    match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            let why = format!(
                "{status}: the ingress controller reaches no pod, or the application is not ready"
            );
            on_the_way(status, why)
        }
        StatusCode::NOT_FOUND if body.is_of_a_controller() => on_the_way(
            status,
            format!("{status}, as an ingress controller says that has no route for the host"),
        ),
        _ => Answer::Application {
            status: status.as_u16(),
            said: without_sequences(&body.0),
        },
    }
}

/// The ingress controller answers, and leads nowhere.
fn on_the_way(status: StatusCode, why: String) -> Answer {
    Answer::Infrastructure {
        step: HostStep::Route,
        status: Some(status.as_u16()),
        why,
    }
}

/// The start of a body.
struct Start(String);

impl Start {
    /// As much of it as came in time: half of what it says is better than nothing.
    async fn of<B>(mut body: B, deadline: Instant) -> Self
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut bytes = Vec::new();
        let read = async {
            while bytes.len() < BODY_BYTES {
                match body.frame().await {
                    Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap_or_default()),
                    Some(Err(_)) | None => return,
                }
            }
        };
        // What came until then is there, whether or not that is all.
        let _late = timeout_at(deadline, read).await;
        bytes.truncate(BODY_BYTES);
        Self(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether it is what ingress controllers say themselves: Traefik, the default backend of Kubernetes, those built
    /// on Envoy, and ingress-nginx.
    fn is_of_a_controller(&self) -> bool {
        let text = self.0.trim();
        let known = ["", "404 page not found", "default backend - 404"];
        known.contains(&text) || text.contains("<center>nginx")
    }
}

/// What is shown of a body that holds no secret values any more: its first words, in one line.
#[must_use]
pub fn first_words(said: &str) -> String {
    let line = one_line(said);
    let shown: String = line.chars().take(BODY_CHARACTERS).collect();
    if shown == line {
        return shown;
    }
    let words = shown.rsplit_once(' ');
    words.map_or(shown.as_str(), |(words, _)| words).to_owned()
}

/// A text in one line, without the characters that move a cursor.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|it: char| it.is_whitespace() || it.is_control());
    let words: Vec<&str> = words.filter(|it| !it.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use futures::{Stream, StreamExt as _, stream};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    const URL: &str = "https://api.shop.example.com/health";

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(100)
    }

    async fn answer(status: u16, location: Option<&str>, body: &'static str) -> Answer {
        let mut reply = Response::builder().status(status);
        if let Some(location) = location {
            reply = reply.header(header::LOCATION, location);
        }
        let reply = reply.body(Full::from(body)).unwrap();
        read(reply, &URL.parse().unwrap(), soon()).await
    }

    /// Whether it is trouble on the way, the application's own fault, or neither.
    async fn check(status: u16, body: &'static str, expected: &str) {
        let found = match answer(status, None, body).await {
            Answer::Good => "good",
            Answer::Application { .. } => "application",
            Answer::Infrastructure { .. } => "way",
        };
        assert_eq!(found, expected, "{status} {body}");
    }

    #[tokio::test]
    async fn what_a_proxy_says_is_trouble_on_the_way() {
        for status in [502, 503, 504] {
            check(status, "no available server", "way").await;
        }
        check(404, "404 page not found\n", "way").await;
        check(404, "default backend - 404", "way").await;
        check(404, "", "way").await;
        let nginx = "<html>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>";
        check(404, nginx, "way").await;
    }

    #[tokio::test]
    async fn everything_else_is_the_applications_own() {
        check(404, r#"{"detail":"Not Found"}"#, "application").await;
        check(400, "404 page not found", "application").await;
        check(401, "", "application").await;
        check(500, "", "application").await;
    }

    #[tokio::test]
    async fn any_success_is_good() {
        check(200, "ok", "good").await;
        check(204, "", "good").await;
    }

    #[tokio::test]
    async fn a_redirect_is_good_unless_it_leads_to_the_other_scheme_of_the_same_host() {
        let good = [
            "/elsewhere",
            "https://api.shop.example.com/login",
            "http://other.example.com/",
        ];
        for location in good {
            assert_eq!(answer(307, Some(location), "").await, Answer::Good);
        }
        assert_eq!(answer(302, None, "").await, Answer::Good);
        let to = "http://API.shop.example.com/health";
        let Answer::Infrastructure { why, .. } = answer(301, Some(to), "").await else {
            panic!("it is no trouble on the way");
        };
        assert!(why.starts_with("https is redirected to http "), "{why}");
    }

    #[test]
    fn a_body_is_shown_in_one_line() {
        let shown = first_words("no such\r\n  column:\ttitle\n");
        assert_eq!(shown, "no such column: title");
    }

    #[test]
    fn a_long_body_is_cut_after_a_whole_word() {
        const BODY: &str = "relation \"offers\" does not exist; ";
        let shown = first_words(&BODY.repeat(10));
        assert_eq!(
            shown,
            format!("{}relation \"offers\" does not", BODY.repeat(5))
        );
        assert_eq!(first_words(&"x".repeat(300)), "x".repeat(200));
    }

    #[tokio::test]
    async fn a_bad_answer_says_more_than_is_shown_so_that_secret_values_are_found_whole() {
        const BODY: &str = "postgresql://shop:\u{1b}[31mcorrect-horse@db ";
        let text = BODY.repeat(10);
        let reply = Response::builder()
            .status(500)
            .body(Full::from(text.clone()));
        let answer = read(reply.unwrap(), &URL.parse().unwrap(), soon()).await;
        let expected = Answer::Application {
            status: 500,
            said: text.replace("\u{1b}[31m", ""),
        };
        assert_eq!(answer, expected);
    }

    fn part(text: &'static str) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(text.as_bytes()))
    }

    async fn start(parts: impl Stream<Item = Frame<Bytes>> + Unpin) -> Start {
        Start::of(StreamBody::new(parts.map(Ok::<_, Infallible>)), soon()).await
    }

    #[tokio::test]
    async fn of_a_body_without_an_end_no_more_is_read_than_may_be() {
        let endless = stream::repeat_with(|| part("many words "));
        let start = start(endless).await;
        assert_eq!(start.0.len(), BODY_BYTES);
    }

    #[tokio::test]
    async fn of_a_body_that_stops_coming_what_came_is_told() {
        let stuck = stream::iter([part("half a wo")]).chain(stream::pending());
        let start = start(stuck).await;
        assert_eq!(start.0, "half a wo");
    }
}
