//! Which ports of the host's loopback a cluster publishes, and how a second cluster finds a block of its own.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// Where clusters beside the default one look for free ports.
const FIRST_BLOCK: u16 = 20_000;
const LAST_BLOCK: u16 = 29_990;
const BLOCK: u16 = 10;

/// The ports of one cluster on 127.0.0.1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ports {
    /// HTTPS of every host name that Traefik serves.
    pub https: u16,
    /// HTTP of the same.
    pub http: u16,
    /// Traefik's own API.
    pub traefik: u16,
    /// The site of the demo with its API, without TLS: Traefik, by HTTP.
    pub frontend: u16,
    /// The backend of the demo.
    pub backend: u16,
    /// The pages of the demo's mail catcher. A cluster from before it was published has none, but can be taken down.
    #[serde(default)]
    pub mail: u16,
    /// Adminer of the demo. The same.
    #[serde(default)]
    pub adminer: u16,
}

/// One published port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Published {
    /// The port on the host's loopback.
    pub host: u16,
    /// The `NodePort` behind it.
    pub node: u16,
}

impl Ports {
    /// The ports of the default cluster: the ones that people know.
    pub const KNOWN: Self = Self {
        https: 8443,
        http: 8088,
        traefik: 8090,
        frontend: 5173,
        backend: 8000,
        mail: 1080,
        adminer: 8080,
    };

    /// The ports of a block that begins here.
    #[must_use]
    pub const fn block(base: u16) -> Self {
        Self {
            https: base,
            http: base + 1,
            traefik: base + 2,
            frontend: base + 3,
            backend: base + 4,
            mail: base + 5,
            adminer: base + 6,
        }
    }

    /// Each port with the `NodePort` that it leads to.
    #[must_use]
    pub const fn published(&self) -> [Published; 7] {
        [
            Published {
                host: self.https,
                node: 30443,
            },
            Published {
                host: self.http,
                node: 30088,
            },
            Published {
                host: self.traefik,
                node: 30090,
            },
            Published {
                host: self.frontend,
                node: 30173,
            },
            Published {
                host: self.backend,
                node: 30800,
            },
            Published {
                host: self.mail,
                node: 31080,
            },
            Published {
                host: self.adminer,
                node: 30880,
            },
        ]
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.published().iter().any(|ours| {
            other
                .published()
                .iter()
                .any(|theirs| ours.host == theirs.host)
        })
    }
}

/// The ports of a new cluster: the known ones for the default cluster, the asked ones, or the first free block.
///
/// # Errors
/// When an asked or known port is in use: which one, and what to do.
pub fn choose(default_cluster: bool, base: Option<u16>, taken: &[Ports]) -> Result<Ports> {
    let wanted = match base {
        Some(base) => Some(Ports::block(base)),
        None if default_cluster => Some(Ports::KNOWN),
        None => None,
    };
    if let Some(ports) = wanted {
        refuse_used(&ports)?;
        return Ok(ports);
    }
    (FIRST_BLOCK..=LAST_BLOCK)
        .step_by(usize::from(BLOCK))
        .map(Ports::block)
        .find(|ports| {
            !taken.iter().any(|other| other.overlaps(ports)) && refuse_used(ports).is_ok()
        })
        .ok_or_else(|| {
            anyhow::anyhow!(
                "no block of free ports between {FIRST_BLOCK} and {LAST_BLOCK} on 127.0.0.1"
            )
        })
}

/// Says which port is in use by another program, and how to choose others.
///
/// # Errors
/// When one is.
pub fn refuse_used(ports: &Ports) -> Result<()> {
    for published in ports.published() {
        if !is_free(published.host) {
            bail!(
                "port {} of 127.0.0.1 is in use by another program: stop that, or choose other ports with \
                 `--port-base 21000`",
                published.host
            );
        }
    }
    Ok(())
}

/// A port that is free at this moment.
///
/// # Errors
/// When the loopback gives none.
pub fn any_free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_cluster_takes_a_block_that_nobody_has() {
        let first = choose(false, None, &[]).unwrap();
        let second = choose(false, None, &[first]).unwrap();
        assert!(!first.overlaps(&second), "{first:?} {second:?}");
        assert!(!first.overlaps(&Ports::KNOWN));
    }

    #[test]
    fn a_used_port_is_named_with_the_flag_to_change_it() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let error = choose(true, Some(port), &[]).unwrap_err().to_string();
        assert!(
            error.contains(&port.to_string()) && error.contains("--port-base"),
            "{error}"
        );
    }
}
