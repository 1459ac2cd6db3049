//! Writing values and names into a statement.
//!
//! The literals are right for a session whose `character_set_client` is utf8mb4 or binary (no multi-byte character
//! contains an ASCII byte) and whose `sql_mode` lacks `NO_BACKSLASH_ESCAPES`; the second can be checked with
//! [`StatusFlags::no_backslash_escapes`](super::StatusFlags::no_backslash_escapes).

/// What follows the backslash for a byte that must be escaped, 0 for every other byte.
const ESCAPE: [u8; 256] = {
    let mut table = [0; 256];
    table[0] = b'0';
    table[b'\'' as usize] = b'\'';
    table[b'\\' as usize] = b'\\';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[0x1a] = b'Z';
    table
};

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// True if one of eight bytes may need escaping: a control character, a quote or a backslash.
fn suspicious(word: u64) -> bool {
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGHS;
    let quote = word ^ (ONES * b'\'' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    below(word, 0x20) | below(quote, 1) | below(backslash, 1) != 0
}

/// Length of the longest prefix without a byte to escape.
fn clean_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    for chunk in bytes.chunks(8) {
        let plain = <[u8; 8]>::try_from(chunk).is_ok_and(|word| !suspicious(u64::from_ne_bytes(word)));
        if !plain && let Some(found) = chunk.iter().position(|byte| ESCAPE[usize::from(*byte)] != 0) {
            return at + found;
        }
        at += chunk.len();
    }
    at
}

/// Appends `bytes` as a string literal in single quotes.
pub fn push_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(b'\'');
    let mut rest = bytes;
    loop {
        let (clean, tail) = rest.split_at(clean_prefix(rest));
        out.extend_from_slice(clean);
        let Some((special, after)) = tail.split_first() else { break };
        out.extend_from_slice(&[b'\\', ESCAPE[usize::from(*special)]]);
        rest = after;
    }
    out.push(b'\'');
}

/// Appends `bytes` as a hexadecimal literal, `x'0aff'`, whose type is a binary string in every server.
pub fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2 + 3);
    out.extend_from_slice(b"x'");
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out.push(b'\'');
}

/// Appends `name` as an identifier in backticks, doubling those inside.
pub fn push_identifier(out: &mut Vec<u8>, name: &str) {
    out.push(b'`');
    for byte in name.bytes() {
        if byte == b'`' {
            out.push(b'`');
        }
        out.push(byte);
    }
    out.push(b'`');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_string(&mut out, bytes);
        out
    }

    /// Reads a literal as the server's lexer does.
    fn unescape(literal: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut bytes = literal[1..literal.len() - 1].iter();
        while let Some(byte) = bytes.next() {
            assert_ne!(*byte, b'\'', "an unescaped quote ends the literal");
            out.push(match byte {
                b'\\' => match bytes.next().expect("a backslash is followed by its character") {
                    b'0' => 0,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b'Z' => 0x1a,
                    other => *other,
                },
                other => *other,
            });
        }
        out
    }

    #[test]
    fn escapes_exactly_the_special_bytes() {
        assert_eq!(string(b""), b"''");
        assert_eq!(string(b"O'Hara \\ \n\r\0\x1a\t\"%_"), b"'O\\'Hara \\\\ \\n\\r\\0\\Z\t\"%_'");
        assert_eq!(string("żółw漢".as_bytes()), "'żółw漢'".as_bytes());
        for byte in 0..=255u8 {
            let inside = [b'a', b'b', b'c', byte, b'd', b'e', b'f', b'g', byte];
            assert_eq!(unescape(&string(&inside)), inside);
        }
    }

    proptest! {
        #[test]
        fn every_string_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(unescape(&string(&bytes)), bytes);
        }
    }

    #[test]
    fn writes_hex_and_identifiers() {
        let mut out = Vec::new();
        push_hex(&mut out, &[0x00, 0x0a, 0xff]);
        push_identifier(&mut out, "we`ird");
        assert_eq!(out, b"x'000aff'`we``ird`");
    }
}
