//! What `cargo xtask demo` applies, and the addresses at which it then answers in a browser. The demo prints them, and a
//! story opens each of them as people do.

use serde::Serialize;

use crate::ports::Ports;

/// The manifests in this crate's folder, the stack last.
pub const FILES: [&str; 2] = ["manifests/local-ports.yaml", "stack-local.yaml"];

/// An address for people.
#[derive(Clone, Debug, Serialize)]
pub struct Address {
    /// What is there.
    pub what: &'static str,
    /// The address.
    pub url: String,
    /// A text that is to be seen there.
    pub shows: &'static str,
}

/// Every address that the demo prints. Those by HTTPS have one host, so that a browser asks about its certificate once.
#[must_use]
pub fn addresses(ports: &Ports) -> Vec<Address> {
    let https = format!("https://dashboard.localhost:{}", ports.https);
    let local = |port: u16, path: &str| format!("http://localhost:{port}{path}");
    let address = |what, url, shows| Address { what, url, shows };
    vec![
        address("site", https.clone(), "Log in"),
        address("its API", format!("{https}/docs"), "AppStack demo"),
        address("without TLS", local(ports.frontend, ""), "Log in"),
        address("its API", local(ports.backend, "/docs"), "AppStack demo"),
        address("its database", local(ports.adminer, ""), "items"),
        address("its mail", local(ports.mail, ""), "Mailpit"),
        address(
            "Traefik",
            local(ports.traefik, "/dashboard/"),
            "Entrypoints",
        ),
    ]
}
