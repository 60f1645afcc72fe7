//! Passwords: hashed with Argon2id, in a way that keeps the service alive. A hash takes a core for tens of
//! milliseconds and 19 MiB; so it runs beside the threads that answer, only so many at once, and only so
//! many wait.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::problem::Error;

/// How many wait for each that runs. The last of them waits about half a second.
const WAITING_FOR_EACH: usize = 15;

/// Hashes and verifies.
#[derive(Debug)]
pub struct Passwords {
    /// One for each that may run.
    running: Arc<Semaphore>,
    /// One for each that may run or wait.
    admitted: Arc<Semaphore>,
    /// Of a password that nobody knows. Stands in for the hash of a user who isn't there.
    nobody: Arc<str>,
}

/// What became of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is not the password.
    Wrong,
    /// It is.
    Right,
    /// It is, and was hashed with other parameters than those of today: this is the hash to store.
    Outdated(String),
}

impl Passwords {
    /// Hashing for a service of so many workers.
    ///
    /// # Errors
    /// When the machine has no randomness or memory.
    pub fn new(workers: usize) -> Result<Self, Error> {
        let nobody = SecretString::from(uuid::Uuid::new_v4().to_string());
        Ok(Self {
            running: Arc::new(Semaphore::new(workers)),
            admitted: Arc::new(Semaphore::new(workers * (1 + WAITING_FOR_EACH))),
            nobody: hash(&nobody)?.into(),
        })
    }

    /// The hash of a password, to store.
    ///
    /// # Errors
    /// With `Busy` when too many wait.
    pub async fn hash(&self, password: SecretString) -> Result<String, Error> {
        self.run(move || hash(&password)).await
    }

    /// Compares a password with a user's hash. Without a user it does the same work in vain: the time
    /// that an answer takes tells nothing.
    ///
    /// # Errors
    /// With `Busy` when too many wait.
    pub async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<Outcome, Error> {
        let (is_there, nobody) = (hash.is_some(), self.nobody.clone());
        let outcome = self.run(move || verify(&password, hash.as_deref().unwrap_or(&nobody)));
        let outcome = outcome.await?;
        Ok(if is_there { outcome } else { Outcome::Wrong })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let admitted = self.admitted.clone().try_acquire_owned();
        let admitted = admitted.map_err(|_| Error::Busy)?;
        let running = self
            .running
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        // The work goes on when the caller has gone away, so it takes the places along.
        spawn_blocking(move || {
            let done = work();
            drop((admitted, running));
            done
        })
        .await
        .map_err(Error::internal)?
    }
}

/// The hash of a password, made here and now: for commands, and with a place to run in.
///
/// # Errors
/// When the machine has no randomness or memory.
pub fn hash(password: &SecretString) -> Result<String, Error> {
    let password = password.expose_secret().as_bytes();
    let hash = hasher()?.hash_password(password).map_err(Error::internal)?;
    Ok(hash.to_string())
}

fn verify(password: &SecretString, hash: &str) -> Result<Outcome, Error> {
    let hash = PasswordHash::new(hash).map_err(Error::internal)?;
    // The parameters are those of the hash.
    match hasher()?.verify_password(password.expose_secret().as_bytes(), &hash) {
        Ok(()) if is_current(&hash)? => Ok(Outcome::Right),
        Ok(()) => Ok(Outcome::Outdated(self::hash(password)?)),
        Err(password_hash::Error::PasswordInvalid) => Ok(Outcome::Wrong),
        Err(error) => Err(Error::internal(error)),
    }
}

fn is_current(hash: &PasswordHash) -> Result<bool, Error> {
    let params = Params::try_from(hash).map_err(Error::internal)?;
    let algorithm = hash.algorithm == Algorithm::Argon2id.ident();
    Ok(algorithm
        && hash.version == Some(Version::V0x13.into())
        && costs(&params) == costs(&self::params()?))
}

fn costs(params: &Params) -> [u32; 3] {
    [params.m_cost(), params.t_cost(), params.p_cost()]
}

fn hasher() -> Result<Argon2<'static>, Error> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params()?))
}

/// What OWASP asks for at least: 19 MiB, two passes, one lane.
fn params() -> Result<Params, Error> {
    Params::new(19 * 1024, 2, 1, None).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_password_is_right_or_wrong() {
        let passwords = Passwords::new(2).unwrap();
        let hash = passwords.hash("right".into()).await.unwrap();
        for (password, hash, outcome) in [
            ("right", Some(&hash), Outcome::Right),
            ("wrong", Some(&hash), Outcome::Wrong),
            ("", Some(&hash), Outcome::Wrong),
            ("right", None, Outcome::Wrong),
        ] {
            let verified = passwords.verify(password.into(), hash.cloned()).await;
            assert_eq!(verified.unwrap(), outcome, "{password:?}");
        }
        let broken = passwords.verify("right".into(), Some("right".into())).await;
        assert!(matches!(broken, Err(Error::Internal(_))));
    }

    #[tokio::test]
    async fn who_is_not_there_costs_the_same_work() {
        let passwords = Passwords::new(1).unwrap();
        let hash = PasswordHash::new(&passwords.nobody).unwrap();
        assert!(is_current(&hash).unwrap());
        // That hash is what is worked on: a broken one breaks it, and even its password is wrong.
        let nobody = "broken".into();
        let broken = Passwords {
            nobody,
            ..passwords
        };
        let outcome = broken.verify("any".into(), None).await;
        assert!(matches!(outcome, Err(Error::Internal(_))));
        let nobody = hash_of("known").into();
        let known = Passwords { nobody, ..broken };
        let outcome = known.verify("known".into(), None).await;
        assert_eq!(outcome.unwrap(), Outcome::Wrong);
    }

    fn hash_of(password: &str) -> String {
        hash(&password.into()).unwrap()
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_turned_away_and_who_is_nobody_as_well() {
        let passwords = Passwords::new(1).unwrap();
        let hash = passwords.hash("right".into()).await.unwrap();
        for hash in [Some(hash), None] {
            let crowd = (0..20).map(|_| passwords.verify("wrong".into(), hash.clone()));
            let outcomes = join_all(crowd).await;
            let busy = outcomes
                .iter()
                .filter(|outcome| matches!(outcome, Err(Error::Busy)));
            assert_eq!(busy.count(), 20 - 1 - WAITING_FOR_EACH);
        }
        assert_eq!(passwords.running.available_permits(), 1);
    }
}
