//! Charsets whose characters are listed in a table.
//!
//! The tables (`tables/*.txt`) were asked from MySQL 9.7 by `dev/charset-tables`, and a test of the MySQL connector
//! compares each of them, whole and in both directions, with running servers of MySQL and MariaDB. The encodings of
//! the web have the same names and differ in hundreds of places.
//!
//! ```text
//! line     = ["<"] first " " text "\n"
//! first    = the bytes of the first character, in hex; the others' bytes follow one another
//! text     = characters; "\{20ac}" is one by its code point in hex, "\{e000+5e}" are 5e (hex) consecutive ones
//! ```
//!
//! `<` marks bytes that are read as a character which is written as other bytes. Sequences of four bytes follow one
//! another as GB 18030 counts them: the second and fourth byte are digits, the others letters from 81 to fe.

/// No character, or no bytes.
const NONE: u32 = u32::MAX;
/// In a node: the rest is the number of the node for the next byte.
const NEXT: u32 = 1 << 31;
const ENTRIES: usize = 256;

type Node = Box<[u32; ENTRIES]>;

/// Consecutive sequences of four bytes that are consecutive code points.
#[derive(Clone, Copy, Debug)]
struct Run {
    number: u32,
    code: u32,
    count: u32,
}

/// One charset's characters.
pub(super) struct Table {
    /// What a byte means, by the bytes before it: a code point, [`NEXT`] with a node, or [`NONE`]. The first node is
    /// for the first byte.
    nodes: Vec<Node>,
    /// Bytes by code point, most significant first, by the code point's upper bits.
    pages: Vec<Option<Node>>,
    /// Four-byte sequences by their number, and the same by code point.
    runs: Vec<Run>,
    runs_by_code: Vec<Run>,
    /// The first 128 bytes are ASCII, in both directions.
    is_ascii: bool,
}

impl Table {
    /// Reads a table; `None` where the text isn't one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut table = Self {
            nodes: vec![Box::new([NONE; ENTRIES])],
            pages: Vec::new(),
            runs: Vec::new(),
            runs_by_code: Vec::new(),
            is_ascii: false,
        };
        for line in text.lines() {
            table.add_line(line)?;
        }
        table.runs.sort_unstable_by_key(|run| run.number);
        table.runs_by_code.clone_from(&table.runs);
        table.runs_by_code.sort_unstable_by_key(|run| run.code);
        table.is_ascii = (0..0x80u8).all(|byte| {
            let code = u32::from(byte);
            table.nodes.first().is_some_and(|node| node[usize::from(byte)] == code)
                && table.written(code) == Some(code)
        });
        Some(table)
    }

    fn add_line(&mut self, line: &str) -> Option<()> {
        let (read_only, line) = line.strip_prefix('<').map_or((false, line), |line| (true, line));
        let (first, text) = line.split_once(' ')?;
        let mut bytes = [0u8; 4];
        let size = first.len() / 2;
        let used = bytes.get_mut(..size).filter(|_| first.len().is_multiple_of(2) && size > 0)?;
        for (byte, digits) in used.iter_mut().zip(first.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        let mut number = if size == 4 {
            four_bytes(bytes)?
        } else {
            used.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
        };
        for (code, count) in code_points(text) {
            let (code, count) = (code?, count?);
            if size == 4 {
                self.runs.push(Run { number, code, count });
            } else {
                for offset in 0..count {
                    self.add(size, number + offset, code + offset, read_only)?;
                }
            }
            number += count;
        }
        Some(())
    }

    fn add(&mut self, size: usize, sequence: u32, code: u32, read_only: bool) -> Option<()> {
        let bytes = sequence.to_be_bytes();
        let (last, leading) = bytes.get(4 - size..)?.split_last()?;
        let mut at = 0usize;
        for byte in leading {
            let entry = self.nodes.get(at)?[usize::from(*byte)];
            at = if entry == NONE {
                let next = self.nodes.len();
                self.nodes.get_mut(at)?[usize::from(*byte)] = NEXT | u32::try_from(next).ok()?;
                self.nodes.push(Box::new([NONE; ENTRIES]));
                next
            } else {
                (entry & !NEXT) as usize
            };
        }
        self.nodes.get_mut(at)?[usize::from(*last)] = code;
        if !read_only {
            let page = (code >> 8) as usize;
            if self.pages.len() <= page {
                self.pages.resize_with(page + 1, || None);
            }
            let page = self.pages.get_mut(page)?.get_or_insert_with(|| Box::new([NONE; ENTRIES]));
            page[(code & 0xff) as usize] = sequence;
        }
        Some(())
    }

    /// True where text of ASCII bytes alone is the same in UTF-8.
    pub(super) fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// The text in UTF-8; `None` where bytes are no character.
    pub(super) fn decode(&self, mut bytes: &[u8]) -> Option<String> {
        let mut out = String::with_capacity(bytes.len() + bytes.len() / 2);
        while !bytes.is_empty() {
            if self.is_ascii {
                let plain = bytes.iter().take_while(|byte| byte.is_ascii()).count();
                let (ascii, rest) = bytes.split_at(plain);
                out.push_str(std::str::from_utf8(ascii).ok()?);
                bytes = rest;
                if bytes.is_empty() {
                    break;
                }
            }
            let (character, rest) = self.first_character(bytes)?;
            out.push(character);
            bytes = rest;
        }
        Some(out)
    }

    fn first_character<'b>(&self, bytes: &'b [u8]) -> Option<(char, &'b [u8])> {
        if !self.runs.is_empty()
            && let [a, b @ b'0'..=b'9', c, d, rest @ ..] = bytes
        {
            return Some((self.four_byte_character([*a, *b, *c, *d])?, rest));
        }
        let mut node = self.nodes.first()?;
        let mut rest = bytes;
        loop {
            let (byte, after) = rest.split_first()?;
            let entry = node[usize::from(*byte)];
            rest = after;
            if entry == NONE {
                return None;
            }
            if entry & NEXT == 0 {
                return Some((char::from_u32(entry)?, rest));
            }
            node = self.nodes.get((entry & !NEXT) as usize)?;
        }
    }

    fn four_byte_character(&self, bytes: [u8; 4]) -> Option<char> {
        let number = four_bytes(bytes)?;
        let after = self.runs.partition_point(|run| run.number <= number);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let offset = number - run.number;
        (offset < run.count).then(|| char::from_u32(run.code + offset))?
    }

    /// The text in this charset; `None` where a character isn't in it.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len());
        for character in text.chars() {
            let code = u32::from(character);
            match self.written(code) {
                Some(sequence) => {
                    let bytes = sequence.to_be_bytes();
                    let skipped = (sequence.leading_zeros() as usize / 8).min(3);
                    out.extend_from_slice(bytes.get(skipped..)?);
                }
                None => out.extend_from_slice(&self.four_bytes_of(code)?),
            }
        }
        Some(out)
    }

    /// The bytes of a code point that has at most three.
    fn written(&self, code: u32) -> Option<u32> {
        let page = self.pages.get((code >> 8) as usize)?.as_ref()?;
        Some(page[(code & 0xff) as usize]).filter(|sequence| *sequence != NONE)
    }

    fn four_bytes_of(&self, code: u32) -> Option<[u8; 4]> {
        let after = self.runs_by_code.partition_point(|run| run.code <= code);
        let run = self.runs_by_code.get(after.checked_sub(1)?)?;
        let offset = code - run.code;
        let number = (offset < run.count).then_some(run.number + offset)?;
        let part = |base: u8, divisor: u32, modulus: u32| {
            u8::try_from(number / divisor % modulus).ok()?.checked_add(base)
        };
        Some([part(0x81, 12_600, 126)?, part(b'0', 1260, 10)?, part(0x81, 10, 126)?, part(b'0', 1, 10)?])
    }
}

/// The number of a sequence of four bytes, as GB 18030 counts them.
fn four_bytes([a, b, c, d]: [u8; 4]) -> Option<u32> {
    let letter = |byte: u8| (0x81..=0xfe).contains(&byte).then(|| u32::from(byte - 0x81));
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    Some(((letter(a)? * 10 + digit(b)?) * 126 + letter(c)?) * 10 + digit(d)?)
}

/// The code points of a line's text: the first of each run, and how many there are. `None` for a part that isn't well
/// formed.
pub(crate) fn code_points(text: &str) -> impl Iterator<Item = (Option<u32>, Option<u32>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if let Some(inner) = rest.strip_prefix("\\{") {
            let (number, after) = inner.split_once('}').unwrap_or(("", ""));
            rest = after;
            let (code, count) = number.split_once('+').unwrap_or((number, "1"));
            return Some((u32::from_str_radix(code, 16).ok(), u32::from_str_radix(count, 16).ok()));
        }
        let character = rest.chars().next()?;
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        Some((Some(u32::from(character)), Some(1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_documented() {
        let table = Table::parse("41 ab\\{100+2}\n<50 a\n8140 \\{5c}x\n81308130 \\{10000+100}y\n").unwrap();
        assert_eq!(
            table.decode(b"A\x42C\x44P\x81\x40\x81\x41\x81\x30\x81\x31").unwrap(),
            "ab\u{100}\u{101}a\\x\u{10001}"
        );
        assert_eq!(table.encode("a\u{101}x\\").unwrap(), b"A\x44\x81\x41\x81\x40");
        assert_eq!(table.encode("\u{1000a}y").unwrap(), b"\x81\x30\x82\x30\x81\x30\x9a\x36");
        assert!(!table.is_ascii());
        for bytes in [&b"E"[..], b"\x81", b"\x81\x42", b"\x81\x30\x81", b"\xfe\x39\xfe\x39"] {
            assert_eq!(table.decode(bytes), None, "{bytes:x?}");
        }
        assert_eq!(table.encode("b\u{102}"), None);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for text in ["41", "4 a", "4g a", " a", "41 \\{zz}", "41 \\{41", "00000000 a"] {
            assert!(Table::parse(text).is_none(), "{text:?}");
        }
    }
}
