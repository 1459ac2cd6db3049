//! Writing values and names into a statement.
//!
//! The literals are right for a session whose `character_set_client` is utf8mb4 or binary (no multi-byte character
//! contains an ASCII byte) and whose `sql_mode` lacks `NO_BACKSLASH_ESCAPES`; the second can be checked with
//! [`StatusFlags::no_backslash_escapes`](super::StatusFlags::no_backslash_escapes).
//!
//! Fields of a file of `LOAD DATA` are escaped by the same code with another table.

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

/// The same for a field that a tab or the end of the line ends.
const FIELD_ESCAPE: [u8; 256] = {
    let mut table = [0; 256];
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[b'\\' as usize] = b'\\';
    table
};

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// True if one of eight bytes may need escaping, by whichever table: a control character, a quote or a backslash.
fn suspicious(word: u64) -> bool {
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGHS;
    let quote = word ^ (ONES * b'\'' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    below(word, 0x20) | below(quote, 1) | below(backslash, 1) != 0
}

/// Length of the longest prefix without a byte to escape.
fn clean_prefix(bytes: &[u8], escape: &[u8; 256]) -> usize {
    let mut at = 0;
    for chunk in bytes.chunks(8) {
        let plain = <[u8; 8]>::try_from(chunk).is_ok_and(|word| !suspicious(u64::from_ne_bytes(word)));
        if !plain && let Some(found) = chunk.iter().position(|byte| escape[usize::from(*byte)] != 0) {
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
    push_escaped(out, bytes, &ESCAPE);
    out.push(b'\'');
}

/// Appends `bytes` as a field of `LOAD DATA ... FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'`.
pub fn push_field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 1);
    push_escaped(out, bytes, &FIELD_ESCAPE);
}

fn push_escaped(out: &mut Vec<u8>, bytes: &[u8], escape: &[u8; 256]) {
    let mut rest = bytes;
    loop {
        let (clean, tail) = rest.split_at(clean_prefix(rest, escape));
        out.extend_from_slice(clean);
        let Some((special, after)) = tail.split_first() else { break };
        out.extend_from_slice(&[b'\\', escape[usize::from(*special)]]);
        rest = after;
    }
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

    /// Reads the fields of a line as the server does, which takes what follows a backslash for itself but for a few
    /// letters.
    fn fields(line: &[u8]) -> Vec<Vec<u8>> {
        let mut fields = vec![Vec::new()];
        let mut bytes = line.iter();
        while let Some(byte) = bytes.next() {
            assert_ne!(*byte, b'\n', "an unescaped line feed ends the line");
            let field = fields.last_mut().expect("there is a first field");
            match byte {
                b'\t' => fields.push(Vec::new()),
                b'\\' => field.push(match bytes.next().expect("a backslash is followed by its character") {
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'\\' => b'\\',
                    other => panic!("{other} after a backslash means something else"),
                }),
                other => field.push(*other),
            }
        }
        fields
    }

    #[test]
    fn escapes_exactly_what_would_end_a_field() {
        let field = |bytes: &[u8]| {
            let mut out = Vec::new();
            push_field(&mut out, bytes);
            out
        };
        assert_eq!(field(b""), b"");
        assert_eq!(field(b"N"), b"N");
        assert_eq!(field(b"\\N"), b"\\\\N");
        assert_eq!(field(b"NULL"), b"NULL");
        assert_eq!(field(b"a\tb\nc\\d\0e\rf\x1ag'h\"i"), b"a\\tb\\nc\\\\d\0e\rf\x1ag'h\"i");
        for byte in 0..=255u8 {
            let inside = [b'a', b'b', b'c', byte, b'd', b'e', b'f', b'g', byte];
            assert_eq!(fields(&field(&inside)), [inside]);
        }
    }

    proptest! {
        #[test]
        fn every_string_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(unescape(&string(&bytes)), bytes);
        }

        #[test]
        fn every_line_comes_back(values in proptest::collection::vec(any::<Vec<u8>>(), 1..5)) {
            let mut line = Vec::new();
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    line.push(b'\t');
                }
                push_field(&mut line, value);
            }
            prop_assert_eq!(fields(&line), values);
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
