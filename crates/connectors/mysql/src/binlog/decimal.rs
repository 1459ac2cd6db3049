//! NEWDECIMAL: packed decimals to the text that MySQL shows.
//!
//! Nine digits take four bytes, most significant first; what is left over at the outer ends of both parts takes
//! 0, 1, 1, 2, 2, 3, 3, 4, 4 bytes for 0 to 8 digits. The first bit is inverted, and all bits of a negative
//! number ("Internal: decimal2bin", MySQL source documentation).

use super::bytes::Bytes;
use super::error::CellError;

const LEFTOVER_BYTES: [u8; 9] = [0, 1, 1, 2, 2, 3, 3, 4, 4];

/// Longest text: sign, 65 digits, point, and the zero before it.
const TEXT_MAX: usize = 68;

/// The layout of a DECIMAL column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecimalLayout {
    pub(crate) precision: u8,
    pub(crate) scale: u8,
    /// Digits and bytes of the group that leads the whole part.
    lead: (u8, u8),
    /// Digits and bytes of the group that ends the fraction.
    tail: (u8, u8),
    whole_groups: u8,
    fraction_groups: u8,
}

impl DecimalLayout {
    /// `None` where precision and scale are none that a column can have.
    pub(crate) fn new(precision: u8, scale: u8) -> Option<Self> {
        if precision == 0 || precision > 65 || scale > 38 || scale > precision {
            return None;
        }
        let whole = precision - scale;
        let group = |digits: u8| Some((digits, *LEFTOVER_BYTES.get(usize::from(digits))?));
        Some(Self {
            precision,
            scale,
            lead: group(whole % 9)?,
            tail: group(scale % 9)?,
            whole_groups: whole / 9,
            fraction_groups: scale / 9,
        })
    }

    /// Bytes of a value.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.lead.1)
            + usize::from(self.tail.1)
            + 4 * (usize::from(self.whole_groups) + usize::from(self.fraction_groups))
    }

    /// Reads a value and appends its text: no leading zeros but one before the point, all digits of the scale.
    pub(crate) fn write_text(&self, input: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), CellError> {
        let bytes = input.take(self.len(), "decimal")?;
        let first = *bytes.first().ok_or(CellError::Invalid("decimal without bytes"))?;
        let negative = first & 0x80 == 0;
        let mask = if negative { 0xff } else { 0 };
        let mut reader = Groups { bytes: Bytes::new(bytes), mask, flip: 0x80 };
        let mut text = Digits { text: [0; TEXT_MAX], len: 0 };
        text.push(b'-');
        text.group(&mut reader, self.lead)?;
        for _ in 0..self.whole_groups {
            text.group(&mut reader, (9, 4))?;
        }
        let whole_end = text.len;
        for _ in 0..self.fraction_groups {
            text.group(&mut reader, (9, 4))?;
        }
        text.group(&mut reader, self.tail)?;
        text.append_to(out, negative, whole_end);
        Ok(())
    }
}

/// The groups of a value, with signs undone.
struct Groups<'a> {
    bytes: Bytes<'a>,
    mask: u8,
    /// Undoes the inverted bit of the first byte.
    flip: u8,
}

impl Groups<'_> {
    fn next(&mut self, len: u8) -> Result<u32, CellError> {
        let mut value = 0u32;
        for byte in self.bytes.take(usize::from(len), "decimal")? {
            value = value << 8 | u32::from(*byte ^ self.mask ^ self.flip);
            self.flip = 0;
        }
        Ok(value)
    }
}

/// A sign, then digits.
struct Digits {
    text: [u8; TEXT_MAX],
    len: usize,
}

impl Digits {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn group(&mut self, groups: &mut Groups<'_>, (digits, len): (u8, u8)) -> Result<(), CellError> {
        let digits = usize::from(digits);
        let mut value = groups.next(len)?;
        let Some(places) = self.text.get_mut(self.len..self.len + digits) else {
            return Err(CellError::Invalid("decimal has too many digits"));
        };
        for place in places.iter_mut().rev() {
            *place = b'0' + (value % 10) as u8;
            value /= 10;
        }
        if value != 0 {
            return Err(CellError::Invalid("decimal group holds more than its digits"));
        }
        self.len += digits;
        Ok(())
    }

    fn append_to(&self, out: &mut Vec<u8>, negative: bool, whole_end: usize) {
        let all = self.text.get(..self.len).unwrap_or_default();
        let (head, fraction) = all.split_at_checked(whole_end).unwrap_or((all, &[]));
        let whole = head.get(1..).unwrap_or_default();
        let significant = whole.iter().position(|digit| *digit != b'0').unwrap_or(whole.len());
        let whole = whole.get(significant..).unwrap_or_default();
        if negative && (!whole.is_empty() || fraction.iter().any(|digit| *digit != b'0')) {
            out.push(b'-');
        }
        if whole.is_empty() {
            out.push(b'0');
        }
        out.extend_from_slice(whole);
        if !fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(precision: u8, scale: u8, bytes: &[u8]) -> Result<String, CellError> {
        let mut out = Vec::new();
        DecimalLayout::new(precision, scale).unwrap().write_text(&mut Bytes::new(bytes), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_manuals_example_reads_both_ways() {
        let positive = [0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2];
        assert_eq!(text(14, 4, &positive).unwrap(), "1234567890.1234");
        assert_eq!(text(14, 4, &positive.map(|byte| !byte)).unwrap(), "-1234567890.1234");
    }

    #[test]
    fn zeros_are_kept_where_mysql_shows_them() {
        assert_eq!(text(10, 3, &[0x80, 0, 0, 1, 1, 0xf4]).unwrap(), "1.500");
        assert_eq!(text(3, 3, &[0x80, 5]).unwrap(), "0.005");
        assert_eq!(text(5, 0, &[0x80, 0, 0]).unwrap(), "0");
        assert_eq!(text(5, 2, &[0x80, 0, 0]).unwrap(), "0.00");
    }

    #[test]
    fn impossible_digits_are_refused() {
        assert!(matches!(text(2, 0, &[0x80 | 100]), Err(CellError::Invalid(_))));
        assert!(matches!(text(9, 0, &[0x80]), Err(CellError::Truncated(_))));
        assert_eq!(DecimalLayout::new(66, 0), None);
        assert_eq!(DecimalLayout::new(5, 6), None);
        assert_eq!(DecimalLayout::new(65, 38).unwrap().len(), 3 * 4 + 4 * 4 + 1);
    }
}
