//! Hands letters to the mail server: at once and waited for, or in the background with a few retries.
//!
//! What a letter says is in `letters`, how the server is spoken to in `smtp`. Nothing here logs an
//! address, a subject or a line of a letter: they hold links that let people in.

pub mod letters;
mod smtp;

use std::{convert::Infallible, fmt::Display, future::ready, sync::Arc, time::Duration};

use lettre::Message;
use prometheus_client::metrics::{counter::Counter, family::Family};
use sentry::{Hub, SentryFutureExt};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

pub use letters::Letter;
pub use smtp::Error;

use crate::config::Config;

/// Connections to the mail server at one time. Servers turn away whoever opens many.
const AT_ONCE: usize = 4;

/// Letters under way at one time. More than this is not our users, and would only fill the memory.
const UNDER_WAY_MAX: usize = 1000;

/// Before each further attempt. A server that is restarted, or that defers unknown senders, gets its time.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_mins(1),
];

/// How long the end of the program waits for letters.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// How many letters went which way, by `outcome`: `sent` or `failed`.
pub type Outcomes = Family<[(&'static str, &'static str); 1], Counter>;

/// Sends letters. Cheap to clone; all clones share what is under way.
#[derive(Clone, Debug)]
pub struct Mailer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    post: Option<smtp::Post>,
    turns: Semaphore,
    under_way: TaskTracker,
    ending: CancellationToken,
    outcomes: Outcomes,
}

impl Mailer {
    /// The mailer of these settings. Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings of TLS fit together in no way.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let post = config.email.as_ref();
        Ok(Self(Arc::new(Inner {
            post: post
                .map(|email| smtp::Post::new(email, config))
                .transpose()?,
            turns: Semaphore::new(AT_ONCE),
            under_way: TaskTracker::new(),
            ending: CancellationToken::new(),
            outcomes: Outcomes::default(),
        })))
    }

    /// Whether there is a mail server to give letters to.
    #[must_use]
    pub fn is_set_up(&self) -> bool {
        self.0.post.is_some()
    }

    /// How many letters were sent and how many were not.
    #[must_use]
    pub fn outcomes(&self) -> Outcomes {
        self.0.outcomes.clone()
    }

    /// Sends the letter in the background: returns at once, tries again when that can help, and logs a
    /// letter that was given up.
    pub fn send(&self, letter: Letter) {
        self.send_made(ready(Ok::<_, Infallible>(Some(letter))));
    }

    /// The same for a letter that is yet to be made, if at all: that happens in the background too, and the
    /// end of the program waits for it.
    pub fn send_made<E: Display>(
        &self,
        making: impl Future<Output = Result<Option<Letter>, E>> + Send + 'static,
    ) {
        if self.0.under_way.len() >= UNDER_WAY_MAX {
            self.0.count("failed");
            tracing::error!("a letter was not sent: too many are under way");
            return;
        }
        let inner = Arc::clone(&self.0);
        let sending = async move {
            let letter = match making.await {
                Ok(Some(letter)) => letter,
                Ok(None) => return,
                Err(error) => return tracing::error!(%error, "a letter was not made"),
            };
            if let Err(error) = inner.insist(&letter).await {
                tracing::error!(%error, "a letter was not sent");
            }
        };
        // What is logged and reported of it carries the id of the request that it is for.
        let reports = Hub::new_from_top(Hub::current());
        let sending = sending.in_current_span().bind_hub(reports);
        self.0.under_way.spawn(sending);
    }

    /// Sends the letter and waits until the mail server has taken it. Tries once, and at once: somebody
    /// is waiting.
    ///
    /// # Errors
    /// With what the mail server did, and no word of the letter.
    pub async fn deliver(&self, letter: Letter) -> Result<(), Error> {
        let outcome = match self.0.message(&letter) {
            Ok((post, message)) => post.hand_over(message).await,
            Err(error) => Err(error),
        };
        self.0.counted(outcome)
    }

    /// Waits for the letters that are under way, but not for ever. Pauses between attempts end now.
    pub async fn finish(&self) {
        self.0.under_way.close();
        self.0.ending.cancel();
        if timeout(FINISH_WITHIN, self.0.under_way.wait())
            .await
            .is_err()
        {
            let lost = self.0.under_way.len();
            tracing::error!(lost, "some letters did not get out in time");
        }
    }
}

impl Inner {
    async fn insist(&self, letter: &Letter) -> Result<(), Error> {
        let outcome = match self.message(letter) {
            Ok((post, message)) => self.attempts(post, message).await,
            Err(error) => Err(error),
        };
        self.counted(outcome)
    }

    fn message(&self, letter: &Letter) -> Result<(&smtp::Post, Message), Error> {
        let post = self.post.as_ref().ok_or(Error::NotSetUp)?;
        Ok((post, post.message(letter)?))
    }

    async fn attempts(&self, post: &smtp::Post, message: Message) -> Result<(), Error> {
        for pause in PAUSES {
            match self.hand_over(post, message.clone()).await {
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "a letter waits for another attempt");
                    let ending = self.ending.cancelled();
                    tokio::select! { () = sleep(pause) => {}, () = ending => break }
                }
                outcome => return outcome,
            }
        }
        self.hand_over(post, message).await
    }

    async fn hand_over(&self, post: &smtp::Post, message: Message) -> Result<(), Error> {
        // Nothing closes the semaphore; without a turn the letter goes out all the same.
        let _turn = self.turns.acquire().await;
        post.hand_over(message).await
    }

    fn counted(&self, outcome: Result<(), Error>) -> Result<(), Error> {
        self.count(if outcome.is_ok() { "sent" } else { "failed" });
        outcome
    }

    fn count(&self, outcome: &'static str) {
        self.outcomes.get_or_create(&[("outcome", outcome)]).inc();
    }
}

#[cfg(test)]
mod tests;
