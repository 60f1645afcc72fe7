//! Bounds how long the API server may take, for every request of a client: kube's own reads have no end, and on a
//! half-open connection a request would hang for ever, and with it the work that waits for it.
//!
//! Invariant: it sits in the client, around retries and credentials, so that no call can forget it; it ends requests and
//! changes none. A request that is dropped closes its connection, so the next one does not meet the same silence.
//!
//! A watch is HTTP/1.1, where a client can ask nothing while an answer goes on, so only what the server says shows that it
//! is there. Bookmarks come once a minute; we want to know sooner, and ask for watches that end after [`watch::SECONDS`]: one that
//! says nothing for longer, not even that it ends, is dead. Keep-alive probes of TCP would not tell, since the kernel of a
//! proxy answers them whatever became of the way behind it.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{Request, Response};
use kube::client::{Body as KubeBody, ClientBuilder};
use kube::{Client, Config};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tower::{BoxError, Layer, Service};

use crate::runtime::watch::{self, is_watch};

/// How long the API server may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until an answer is complete; of a watch, until it begins.
    pub answer: Duration,
    /// Between two events of a watch, or an event and its end.
    pub silence: Duration,
}

impl Default for Limits {
    /// Ten seconds for an answer: the API server's own limit is 60, and whoever waits so long is better told. A silence is
    /// longer than a watch lasts, and noticed within the 45 seconds in which Kubernetes' own clients notice it.
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            silence: Duration::from_secs(u64::from(watch::SECONDS) + 10),
        }
    }
}

/// The API server took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API server said nothing for {0:?}")]
pub struct Late(pub Duration);

impl Late {
    /// The limit that passed, if it is that for which a request came to nothing.
    #[must_use]
    pub fn within(error: &kube::Error) -> Option<Self> {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(it) = cause {
            if let Some(late) = it.downcast_ref() {
                return Some(*late);
            }
            cause = it.source();
        }
        None
    }
}

/// A client whose every request ends.
///
/// # Errors
/// When the configuration makes no client.
pub fn client(config: Config, limits: Limits) -> kube::Result<Client> {
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder.with_layer(&Deadlines(limits)).build())
}

/// The layer of a client that ends its requests.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines(pub Limits);

impl<S> Layer<S> for Deadlines {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded {
            inner,
            limits: self.0,
        }
    }
}

/// A service whose requests end.
#[derive(Clone, Debug)]
pub struct Bounded<S> {
    inner: S,
    limits: Limits,
}

impl<S, B> Service<Request<KubeBody>> for Bounded<S>
where
    S: Service<Request<KubeBody>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<BoundedBody<B>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<KubeBody>) -> Self::Future {
        let limits = self.limits;
        let is_watch = is_watch(&request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let end = Instant::now() + limits.answer;
            let answer = timeout_at(end, answer).await;
            let answer = answer.map_err(|_| Late(limits.answer))?;
            Ok(answer.map_err(Into::into)?.map(|body| {
                if is_watch {
                    BoundedBody::spoken(body, limits.silence)
                } else {
                    BoundedBody::whole(body, limits.answer, end)
                }
            }))
        })
    }
}

/// The body of an answer that ends, well or not.
pub struct BoundedBody<B> {
    body: B,
    limit: Duration,
    /// Whether each part has the time of the limit, and not all of them together.
    is_anew: bool,
    /// When it is too late; `None` while nobody waits.
    end: Option<Pin<Box<Sleep>>>,
}

impl<B> BoundedBody<B> {
    /// A body that must be complete at `end`.
    fn whole(body: B, limit: Duration, end: Instant) -> Self {
        Self {
            body,
            limit,
            is_anew: false,
            end: Some(Box::pin(sleep_until(end))),
        }
    }

    /// A body of which something must come again and again. The time that its reader takes does not count.
    fn spoken(body: B, limit: Duration) -> Self {
        Self {
            body,
            limit,
            is_anew: true,
            end: None,
        }
    }
}

impl<B> Body for BoundedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if this.is_anew {
                this.end = None;
            }
            return Poll::Ready(frame.map(|it| it.map_err(Into::into)));
        }
        let limit = this.limit;
        let end = || Box::pin(sleep_until(Instant::now() + limit));
        ready!(this.end.get_or_insert_with(end).as_mut().poll(cx));
        Poll::Ready(Some(Err(Late(limit).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body as AnyBody;
    use futures::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;

    use super::*;

    const LIMITS: Limits = Limits {
        answer: Duration::from_secs(10),
        silence: Duration::from_secs(40),
    };
    const LIST: &str = "/api/v1/pods?limit=500";
    const WATCHED: &str = "/api/v1/pods?watch=true&timeoutSeconds=30";

    /// A client of a server that begins its answer after `head` seconds, and goes on with the parts, each after its own.
    fn client_of(head: u64, parts: &[u64]) -> Client {
        let parts = parts.to_vec();
        let service = tower::service_fn(move |_: Request<KubeBody>| {
            let parts = parts.clone();
            async move {
                pause(Duration::from_secs(head)).await;
                let parts = stream::iter(parts).then(|wait| async move {
                    pause(Duration::from_secs(wait)).await;
                    Ok::<_, BoxError>("x")
                });
                Ok::<_, BoxError>(Response::new(AnyBody::from_stream(parts)))
            }
        });
        ClientBuilder::new(service, "ns")
            .with_layer(&Deadlines(LIMITS))
            .build()
    }

    async fn pause(time: Duration) {
        sleep_until(Instant::now() + time).await;
    }

    /// What comes of a request: how much was read, or for which limit it ended.
    async fn ask(client: &Client, at: &str) -> Result<usize, Option<Duration>> {
        let request = Request::get(at).body(KubeBody::empty()).unwrap();
        let limit = |error: kube::Error| Late::within(&error).map(|it| it.0);
        let answer = client.send(request).await.map_err(limit)?;
        let body = answer.into_body().collect().await.map_err(limit)?;
        Ok(body.to_bytes().len())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_begin_in_time_is_given_up() {
        let client = client_of(11, &[]);
        assert_eq!(ask(&client, LIST).await, Err(Some(LIMITS.answer)));
        assert_eq!(ask(&client, WATCHED).await, Err(Some(LIMITS.answer)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_complete_in_time_is_given_up_though_parts_of_it_come() {
        let client = client_of(0, &[3; 4]);
        assert_eq!(ask(&client, LIST).await, Err(Some(LIMITS.answer)));
        let client = client_of(0, &[3; 2]);
        assert_eq!(ask(&client, LIST).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_goes_on_while_something_comes_and_no_longer() {
        let client = client_of(0, &[30; 20]);
        assert_eq!(ask(&client, WATCHED).await, Ok(20));
        let client = client_of(0, &[30, 41]);
        assert_eq!(ask(&client, WATCHED).await, Err(Some(LIMITS.silence)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_reader_of_a_watch_takes_is_not_the_servers() {
        let client = client_of(0, &[1, 30]);
        let request = Request::get(WATCHED).body(KubeBody::empty()).unwrap();
        let mut body = client.send(request).await.unwrap().into_body();
        assert!(body.frame().await.unwrap().is_ok());
        pause(LIMITS.silence * 2).await;
        assert!(body.frame().await.unwrap().is_ok());
    }

    #[test]
    fn silence_is_noticed_as_soon_as_by_the_clients_of_kubernetes_but_not_before_a_watch_ends() {
        let limits = Limits::default();
        assert!(limits.silence <= Duration::from_secs(45));
        assert!(limits.silence > Duration::from_secs(watch::SECONDS.into()));
    }
}
