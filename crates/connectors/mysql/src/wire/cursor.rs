//! Checked reading of a packet's payload. Nothing here panics or allocates, whatever the bytes are.
//!
//! Length-encoded integers: `0..=0xfa` is the value itself, `0xfc` two bytes, `0xfd` three, `0xfe` eight follow,
//! little endian; `0xfb` is NULL in rows; `0xff` is never a length.

/// A payload that ends too early or holds an impossible value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) what: &'static str,
    pub(super) at: usize,
}

/// A read position in a payload. Every method names what it reads, for the error.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub(super) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.data.len()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(len).ok_or(self.malformed(what))?;
        let bytes = self.data.get(self.at..end).ok_or(self.malformed(what))?;
        self.at = end;
        Ok(bytes)
    }

    /// Everything up to the end; may be empty.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let bytes = self.data.get(self.at..).unwrap_or_default();
        self.at = self.data.len();
        bytes
    }

    fn little_endian(&mut self, len: usize, what: &'static str) -> Result<u64, Malformed> {
        let bytes = self.take(len, what)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.little_endian(1, what)? as u8)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        Ok(self.little_endian(2, what)? as u16)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(self.little_endian(4, what)? as u32)
    }

    pub(super) fn lenenc(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let start = self.clone();
        match self.u8(what)? {
            short @ 0..=0xfa => Ok(u64::from(short)),
            0xfc => self.little_endian(2, what),
            0xfd => self.little_endian(3, what),
            0xfe => self.little_endian(8, what),
            _ => Err(start.malformed(what)),
        }
    }

    pub(super) fn lenenc_bytes(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let len = self.lenenc(what)?;
        let len = usize::try_from(len).map_err(|_| self.malformed(what))?;
        self.take(len, what)
    }

    /// Bytes up to a NUL, which is consumed. Without a NUL it is an error.
    pub(super) fn nul_terminated(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|byte| *byte == 0).ok_or(self.malformed(what))?;
        let bytes = self.take(len, what)?;
        self.take(1, what)?;
        Ok(bytes)
    }
}

/// Appends a length-encoded integer.
pub(super) fn push_lenenc(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    let (tag, len) = match value {
        0..=0xfa => (None, 1),
        0xfb..=0xffff => (Some(0xfc), 2),
        0x1_0000..=0xff_ffff => (Some(0xfd), 3),
        _ => (Some(0xfe), 8),
    };
    out.extend(tag);
    out.extend(bytes.iter().take(len));
}

/// Appends a length-encoded string.
pub(super) fn push_lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_lenenc(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn length_encoded_integers_come_back(value: u64) {
            let mut out = Vec::new();
            push_lenenc(&mut out, value);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.lenenc("value"), Ok(value));
            prop_assert!(cursor.is_empty());
        }
    }

    #[test]
    fn refuses_lengths_beyond_the_end_and_names_the_place() {
        let mut cursor = Cursor::new(&[1, 2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 7]);
        assert_eq!(cursor.u16("head"), Ok(0x0201));
        assert_eq!(cursor.lenenc_bytes("body"), Err(Malformed { what: "body", at: 11 }));
        assert_eq!(Cursor::new(&[0xff]).lenenc("n"), Err(Malformed { what: "n", at: 0 }));
        assert_eq!(Cursor::new(&[0xfd, 1]).lenenc("n"), Err(Malformed { what: "n", at: 1 }));
        assert_eq!(Cursor::new(b"abc").nul_terminated("s"), Err(Malformed { what: "s", at: 0 }));
    }
}
