//! Which addresses are of the public internet (IANA's registries of special-purpose addresses, RFC 6890).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not one that a stranger may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotPublic {
    /// 0.0.0.0/8 and `::` (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2).
    Unspecified,
    /// 127.0.0.0/8 and `::1`.
    Loopback,
    /// RFC 1918.
    Private,
    /// fc00::/7 (RFC 4193).
    UniqueLocal,
    /// Shared by a provider's customers (RFC 6598).
    Shared,
    /// 169.254.0.0/16 and fe80::/10; clouds keep credentials there.
    LinkLocal,
    /// fec0::/10 (RFC 3879).
    SiteLocal,
    /// RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// RFC 2544, RFC 5180.
    Benchmarking,
    /// 192.0.0.0/24, 192.88.99.0/24 and 2001::/23: protocols' own, Teredo's among them.
    Protocol,
    /// Multicast.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// 240.0.0.0/4, and what of IPv6 is not global unicast.
    Reserved,
    /// ::/96 (RFC 4291 §2.5.5.1).
    Ipv4Compatible,
    /// 64:ff9b:1::/48: translated within a network (RFC 8215).
    LocallyTranslated,
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::UniqueLocal => "a unique local address",
            Self::Shared => "an address of a provider's shared range",
            Self::LinkLocal => "a link-local address",
            Self::SiteLocal => "a site-local address",
            Self::Documentation => "an address for documentation",
            Self::Benchmarking => "an address for benchmarks",
            Self::Protocol => "an address of a protocol's own range",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Reserved => "a reserved address",
            Self::Ipv4Compatible => "an IPv4-compatible address",
            Self::LocallyTranslated => "an address that is translated within a network",
        })
    }
}

/// The first that matches counts.
const IPV4: [([u8; 4], u32, NotPublic); 16] = [
    ([0, 0, 0, 0], 8, NotPublic::Unspecified),
    ([10, 0, 0, 0], 8, NotPublic::Private),
    ([100, 64, 0, 0], 10, NotPublic::Shared),
    ([127, 0, 0, 0], 8, NotPublic::Loopback),
    ([169, 254, 0, 0], 16, NotPublic::LinkLocal),
    ([172, 16, 0, 0], 12, NotPublic::Private),
    ([192, 0, 0, 0], 24, NotPublic::Protocol),
    ([192, 0, 2, 0], 24, NotPublic::Documentation),
    ([192, 88, 99, 0], 24, NotPublic::Protocol),
    ([192, 168, 0, 0], 16, NotPublic::Private),
    ([198, 18, 0, 0], 15, NotPublic::Benchmarking),
    ([198, 51, 100, 0], 24, NotPublic::Documentation),
    ([203, 0, 113, 0], 24, NotPublic::Documentation),
    ([224, 0, 0, 0], 4, NotPublic::Multicast),
    ([255, 255, 255, 255], 32, NotPublic::Broadcast),
    ([240, 0, 0, 0], 4, NotPublic::Reserved),
];

/// The first that matches counts; what is not global unicast, 2000::/3, is refused besides.
const IPV6: [([u16; 8], u32, NotPublic); 12] = [
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, NotPublic::Unspecified),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, NotPublic::Loopback),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, NotPublic::Ipv4Compatible),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, NotPublic::LocallyTranslated),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, NotPublic::UniqueLocal),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, NotPublic::LinkLocal),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, NotPublic::SiteLocal),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, NotPublic::Multicast),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, NotPublic::Benchmarking),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, NotPublic::Protocol),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, NotPublic::Documentation),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, NotPublic::Documentation),
];

/// Why an address is not of the public internet; `None` where it is. One that stands for an IPv4 address is what that is.
pub(super) fn not_public(address: IpAddr) -> Option<NotPublic> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => not_public_v4(inner),
            None => not_public_v6(address),
        },
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<NotPublic> {
    let bits = address.to_bits();
    let in_range = |(prefix, length, _): &&([u8; 4], u32, NotPublic)| {
        (bits ^ u32::from_be_bytes(*prefix)).leading_zeros() >= *length
    };
    IPV4.iter().find(in_range).map(|(_, _, why)| *why)
}

fn not_public_v6(address: Ipv6Addr) -> Option<NotPublic> {
    let in_range = |(prefix, length, _): &&([u16; 8], u32, NotPublic)| is_within(address, *prefix, *length);
    let special = IPV6.iter().find(in_range).map(|(_, _, why)| *why);
    let is_global_unicast = is_within(address, [0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
    special.or(if is_global_unicast { None } else { Some(NotPublic::Reserved) })
}

fn is_within(address: Ipv6Addr, prefix: [u16; 8], length: u32) -> bool {
    (address.to_bits() ^ Ipv6Addr::from(prefix).to_bits()).leading_zeros() >= length
}

/// The IPv4 address that packets to it end at: mapped (RFC 4291 §2.5.5.2), by NAT64 (RFC 6052 §2.1), by 6to4 (RFC 3056 §2).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Option<NotPublic> {
        not_public(address.parse().unwrap())
    }

    #[test]
    fn each_range_is_refused_from_its_first_address_to_its_last() {
        for (first, last, why) in [
            ("0.0.0.0", "0.255.255.255", NotPublic::Unspecified),
            ("10.0.0.0", "10.255.255.255", NotPublic::Private),
            ("100.64.0.0", "100.127.255.255", NotPublic::Shared),
            ("127.0.0.0", "127.255.255.255", NotPublic::Loopback),
            ("169.254.0.0", "169.254.255.255", NotPublic::LinkLocal),
            ("172.16.0.0", "172.31.255.255", NotPublic::Private),
            ("192.0.0.0", "192.0.0.255", NotPublic::Protocol),
            ("192.0.2.0", "192.0.2.255", NotPublic::Documentation),
            ("192.88.99.0", "192.88.99.255", NotPublic::Protocol),
            ("192.168.0.0", "192.168.255.255", NotPublic::Private),
            ("198.18.0.0", "198.19.255.255", NotPublic::Benchmarking),
            ("198.51.100.0", "198.51.100.255", NotPublic::Documentation),
            ("203.0.113.0", "203.0.113.255", NotPublic::Documentation),
            ("224.0.0.0", "239.255.255.255", NotPublic::Multicast),
            ("240.0.0.0", "255.255.255.254", NotPublic::Reserved),
            ("255.255.255.255", "255.255.255.255", NotPublic::Broadcast),
            ("::", "::", NotPublic::Unspecified),
            ("::1", "::1", NotPublic::Loopback),
            ("::2", "::ffff:ffff", NotPublic::Ipv4Compatible),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", NotPublic::LocallyTranslated),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NotPublic::UniqueLocal),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NotPublic::LinkLocal),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NotPublic::SiteLocal),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NotPublic::Multicast),
            ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", NotPublic::Benchmarking),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", NotPublic::Protocol),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", NotPublic::Documentation),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", NotPublic::Documentation),
            ("100::", "100::ffff:ffff:ffff:ffff", NotPublic::Reserved),
            ("5f00::", "5f00:ffff::", NotPublic::Reserved),
            ("4000::", "fbff::", NotPublic::Reserved),
        ] {
            assert_eq!((of(first), of(last)), (Some(why), Some(why)), "{first} to {last}");
        }
    }

    #[test]
    fn neighbours_of_the_ranges_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.114.0",
            "223.255.255.255",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2003::",
            "2a00:1450::1",
            "3ffe::",
            "3fff:1000::",
        ] {
            assert_eq!(of(address), None, "{address}");
        }
    }

    #[test]
    fn what_stands_for_an_ipv4_address_is_what_that_is() {
        for address in
            ["::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "2002:7f00:1:ffff:ffff:ffff:ffff:ffff"]
        {
            assert_eq!(of(address), Some(NotPublic::Loopback), "{address}");
        }
        for address in ["::ffff:10.1.2.3", "64:ff9b::192.168.0.1", "2002:ac10:1::1"] {
            assert_eq!(of(address), Some(NotPublic::Private), "{address}");
        }
        assert_eq!(of("::ffff:169.254.169.254"), Some(NotPublic::LinkLocal));
        for address in ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"] {
            assert_eq!(of(address), None, "{address}");
        }
        // Compatible addresses are nobody's, whatever they embed.
        assert_eq!(of("::8.8.8.8"), Some(NotPublic::Ipv4Compatible));
    }
}
