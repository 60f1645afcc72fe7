//! Where an external database is: what its host, port and sslmode may be.
//!
//! They go into an address and into variables as they are, so what is wrong with them would show only in the last lines of a pod
//! that cannot connect.

use std::net::IpAddr;

use crate::check::Faults;

/// What libpq knows.
const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// Notes what is wrong with them; `secret` is what holds them.
pub(super) fn refuse(
    field: &str,
    secret: &str,
    (host, port, sslmode): (&str, &str, &str),
    faults: &mut Faults,
) {
    // White space around them is a fault of its own.
    if !are_hosts(host.trim()) {
        faults.add(
            field,
            format!(
                "host of Secret {secret} is to be a DNS name such as db.example.com or an address such as 10.0.0.7, without scheme, port and wildcard"
            ),
        );
    }
    if !is_port(port.trim()) {
        faults.add(
            field,
            format!("port of Secret {secret} is to be a number from 1 to 65535, such as 5432"),
        );
    }
    if !SSL_MODES.contains(&sslmode.trim()) {
        faults.add(
            field,
            format!(
                "sslmode of Secret {secret} is to be one of {}",
                SSL_MODES.join(", ")
            ),
        );
    }
}

/// One host, or several of which libpq takes the first that answers. Between commas there is no room for the brackets that an
/// IPv6 address needs.
fn are_hosts(hosts: &str) -> bool {
    match hosts.parse() {
        Ok(IpAddr::V6(_)) => true,
        _ => hosts.split(',').all(is_host),
    }
}

/// Resolvers take names in any case, with a dot at the end, and with underscores.
fn is_host(host: &str) -> bool {
    if host.parse::<std::net::Ipv4Addr>().is_ok() {
        return true;
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_number = |it: &str| it.chars().all(|it| it.is_ascii_digit());
    let mut labels = name.split('.');
    name.len() <= 253 && labels.all(is_label) && !name.rsplit('.').next().is_some_and(is_number)
}

/// Whether a host is the pod's own.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    address.map_or(host.eq_ignore_ascii_case("localhost"), |it| {
        it.is_loopback()
    })
}

fn is_label(label: &str) -> bool {
    let inner = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    (1..=63).contains(&label.len())
        && label.chars().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_port(port: &str) -> bool {
    port.chars().all(|it| it.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|it| it > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(host: &str, port: &str, sslmode: &str) -> Vec<String> {
        let mut faults = Faults::default();
        refuse("f", "s", (host, port, sslmode), &mut faults);
        faults.0
    }

    #[test]
    fn a_database_has_a_name_or_an_address() {
        let label = "a".repeat(63);
        let longest = format!("{label}.example.com");
        for host in [
            "db",
            "db.example.com",
            "DB.example.com",
            "db.example.com.",
            "my_db",
            "10.0.0.7",
            "fd00::1",
            "a.example.com,b.example.com",
            &longest,
        ] {
            assert_eq!(faults(host, "5432", "prefer"), [""; 0], "{host}");
        }
        let too_long = format!("a{label}");
        let name_too_long = ["abcdefg"; 32].join(".");
        for host in [
            "*.example.com",
            "db..example.com",
            ".",
            "db:5432",
            "postgres://db",
            "[fd00::1]",
            "a,fd00::1",
            "a,,b",
            "10.0.0.256",
            "10.0.1",
            "/var/run",
            "a b",
            "-a",
            &too_long,
            &name_too_long,
        ] {
            assert_eq!(
                faults(host, "5432", "prefer"),
                [
                    "spec.f: host of Secret s is to be a DNS name such as db.example.com or an address such as 10.0.0.7, without scheme, port and wildcard"
                ],
                "{host}"
            );
        }
    }

    #[test]
    fn what_is_the_pods_own_is_told_from_a_name_and_an_address() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["db", "localhost.example.com", "10.0.0.7", "fd00::1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_port_is_a_number_and_an_sslmode_one_that_is_known() {
        for port in ["1", "65535"] {
            assert_eq!(faults("db", port, "verify-full"), [""; 0]);
        }
        for port in ["", "0", "65536", "+5432", "5432,5433", "pg"] {
            assert_eq!(
                faults("db", port, "disable"),
                ["spec.f: port of Secret s is to be a number from 1 to 65535, such as 5432"],
                "{port}"
            );
        }
        assert_eq!(
            faults("db", "5432", "on"),
            [
                "spec.f: sslmode of Secret s is to be one of disable, allow, prefer, require, verify-ca, verify-full"
            ]
        );
    }
}
