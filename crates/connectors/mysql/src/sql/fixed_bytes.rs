//! MariaDB's fixed-size types as text: UUID, INET4, INET6.
//!
//! A batch holds their bytes in the order of their text (network order), which is what
//! `CAST(column AS BINARY(n))` gives. Every server takes and shows them as text.

use std::net::{Ipv4Addr, Ipv6Addr};

use whimbrel_model::DataType;

/// Bytes of a value of the type, `None` for types of no fixed form.
pub fn width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Uuid | DataType::Inet6 => Some(16),
        DataType::Inet4 => Some(4),
        _ => None,
    }
}

/// The text of a value. `None` where the bytes are not as many as the type has.
pub fn to_text(data_type: &DataType, bytes: &[u8]) -> Option<String> {
    match data_type {
        DataType::Uuid => {
            let bits = u128::from_be_bytes(bytes.try_into().ok()?);
            let (a, b, c) = (bits >> 96, bits >> 80 & 0xffff, bits >> 64 & 0xffff);
            let (d, e) = (bits >> 48 & 0xffff, bits & 0xffff_ffff_ffff);
            Some(format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"))
        }
        DataType::Inet4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string()),
        DataType::Inet6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        _ => None,
    }
}

/// The bytes of a value's text.
pub fn from_text(data_type: &DataType, text: &str) -> Option<Vec<u8>> {
    match data_type {
        DataType::Uuid => {
            let digits: String = text.chars().filter(|c| *c != '-').collect();
            let whole = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            whole.then(|| u128::from_str_radix(&digits, 16).ok())?.map(|bits| bits.to_be_bytes().to_vec())
        }
        DataType::Inet4 => Some(text.parse::<Ipv4Addr>().ok()?.octets().to_vec()),
        DataType::Inet6 => Some(text.parse::<Ipv6Addr>().ok()?.octets().to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_two_forms_of_one_value() {
        for (data_type, text, first) in [
            (DataType::Uuid, "00112233-4455-6677-8899-aabbccddeeff", 0x00),
            (DataType::Inet4, "192.0.2.1", 192),
            (DataType::Inet6, "2001:db8::1", 0x20),
        ] {
            let bytes = from_text(&data_type, text).unwrap();
            assert_eq!((bytes.len(), bytes[0]), (width(&data_type).unwrap(), first));
            assert_eq!(to_text(&data_type, &bytes).unwrap(), text);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        assert_eq!(from_text(&DataType::Uuid, "0011"), None);
        assert_eq!(from_text(&DataType::Uuid, "+0112233-4455-6677-8899-aabbccddeeff"), None);
        assert_eq!(to_text(&DataType::Inet6, &[1, 2]), None);
        assert_eq!(to_text(&DataType::Date, b""), None);
    }
}
