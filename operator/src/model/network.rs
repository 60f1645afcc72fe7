//! Networks as CIDR writes them.
//!
//! Invariant: pure.

use std::net::IpAddr;

/// Where machines speak with their neighbours alone; clouds keep the metadata service there, which hands out credentials. AWS has
/// it at an address of its own in IPv6.
pub const LINK_LOCAL: [&str; 3] = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"];

/// Every address, of each family.
pub const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Which of the link-local networks are part of another network, and not all of it.
#[must_use]
pub fn link_local_in(cidr: &str) -> Vec<String> {
    let inner = LINK_LOCAL.into_iter();
    let inner = inner.filter(|it| *it != cidr && contains(cidr, it));
    inner.map(str::to_owned).collect()
}

/// The first address of the network of this many bits that an address is in.
#[must_use]
pub fn start_of(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(it) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or_default();
            IpAddr::V4((it.to_bits() & mask).into())
        }
        IpAddr::V6(it) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or_default();
            IpAddr::V6((it.to_bits() & mask).into())
        }
    }
}

fn contains(outer: &str, inner: &str) -> bool {
    let (Some((start, bits)), Some((address, inner_bits))) = (parsed(outer), parsed(inner)) else {
        return false;
    };
    start.is_ipv4() == address.is_ipv4()
        && bits <= inner_bits
        && start_of(address, bits) == start_of(start, bits)
}

fn parsed(cidr: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = cidr.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse().ok().filter(|it| *it <= most)?;
    Some((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_link_local_ones_in_it_unless_it_is_one_itself() {
        for (cidr, inner) in [
            ("0.0.0.0/0", vec!["169.254.0.0/16"]),
            ("169.0.0.0/8", vec!["169.254.0.0/16"]),
            ("::/0", vec!["fe80::/10", "fd00:ec2::254/128"]),
            ("fd00::/8", vec!["fd00:ec2::254/128"]),
            ("169.254.0.0/16", vec![]),
            ("169.254.169.254/32", vec![]),
            ("FD00:EC2::/32", vec!["fd00:ec2::254/128"]),
            ("10.0.0.0/8", vec![]),
            ("nonsense", vec![]),
        ] {
            assert_eq!(link_local_in(cidr), inner, "{cidr}");
        }
    }
}
