//! What a GET asks: the request's octets in the path (RFC 6960 appendix A.1).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The longest path that is decoded, in octets. RFC 9919 wants GET for requests of up to 255 octets encoded; ten
/// certificates with every character percent-encoded have 3,000.
pub const MAX_GET_PATH_OCTETS: usize = 4_096;

/// The standard alphabet; '=' may be missing, since some clients and proxies cut it off.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The request's octets from what follows the responder's own path, as it came: not decoded, no slashes merged.
///
/// `+`, `/` and `=` may be percent-encoded or not, in either case of the hexadecimal digits; `//` is two characters of
/// base64, and `+` is itself, not a space. base64url is refused: no standard lets a client send it, and `-` in a request
/// is a sign of something else.
///
/// Slashes before the first character are passed over: a request is a SEQUENCE, whose base64 starts with `M`, so they
/// are what joined the URL in the certificate and the request.
///
/// None for anything else, and beyond [`MAX_GET_PATH_OCTETS`].
#[must_use]
pub fn decode_get_path(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() > MAX_GET_PATH_OCTETS {
        return None;
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut octets = raw.iter().copied();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'%' => (nibble(octets.next()?)? << 4) | nibble(octets.next()?)?,
            plain => plain,
        };
        if octet != b'/' || !text.is_empty() {
            text.push(octet);
        }
    }
    if text.is_empty() {
        return None;
    }
    BASE64.decode(text).ok()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets whose base64 has '+', '/', '//' and '='.
    const OCTETS: [u8; 8] = [0x30, 0xff, 0xff, 0xff, 0xfb, 0xef, 0xbe, 0xff];
    const PLAIN: &str = "MP////vvvv8=";

    fn decoded(path: &str) -> Option<Vec<u8>> {
        decode_get_path(path.as_bytes())
    }

    #[test]
    fn every_way_to_write_it_reads_the_same() {
        assert_eq!(base64::engine::general_purpose::STANDARD.encode(OCTETS), PLAIN);
        let everything_encoded: String = PLAIN.bytes().map(|octet| format!("%{octet:02x}")).collect();
        for path in [
            PLAIN,
            "MP////vvvv8",
            "MP////vvvv8%3D",
            "MP////vvvv8%3d",
            "MP%2F%2F%2F%2Fvvvv8%3D",
            "MP%2f%2f%2f%2fvvvv8%3d",
            "MP//%2F/vvvv8",
            "/MP////vvvv8=",
            "//MP////vvvv8=",
            "%2FMP////vvvv8=",
            &everything_encoded,
        ] {
            assert_eq!(decoded(path).as_deref(), Some(&OCTETS[..]), "{path}");
        }
    }

    #[test]
    fn a_plus_is_no_space() {
        for path in ["MA+++w==", "MA%2B%2b+w==", "MA+++w", "MA+++w=", "MA%2B%2B%2Bw%3D%3D"] {
            assert_eq!(decoded(path), Some(vec![0x30, 0x0f, 0xbe, 0xfb]), "{path}");
        }
        assert_eq!(decoded("MA   w"), None);
        assert_eq!(decoded("MA%20%20%20w"), None);
    }

    #[test]
    fn refuses_what_is_no_base64_in_a_path() {
        for path in [
            "",
            "/",
            "%",
            "MP%2",
            "MP%2G",
            "MP%",
            "MP____vvvv8=",
            "MP----8",
            "MP////vvvv8=?x",
            "MP////vvvv8==",
            "MP////vvvv8=MP",
            "MP%252F",
            "MP/\n",
            "M",
            "MP////vvvv9=",
            "Mé",
        ] {
            assert_eq!(decoded(path), None, "{path}");
        }
    }

    #[test]
    fn the_length_is_bounded() {
        let longest = "A".repeat(MAX_GET_PATH_OCTETS);
        assert_eq!(decoded(&longest).unwrap().len(), MAX_GET_PATH_OCTETS / 4 * 3);
        assert_eq!(decoded(&format!("{longest}AAAA")), None);
    }
}
