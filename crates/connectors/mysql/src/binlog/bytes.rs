//! Checked reading of bytes that came from outside. Nothing here panics or allocates, whatever the bytes.

/// Bytes that end before what was to be read, named by the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bytes end in the middle of {0}")]
pub struct Truncated(pub &'static str);

/// A read position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// What has not been read.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Truncated(what))?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Truncated> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Truncated(what))?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Truncated> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Truncated> {
        self.array(what).map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u24(&mut self, what: &'static str) -> Result<u32, Truncated> {
        self.array(what).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    #[inline]
    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Truncated> {
        self.array(what).map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Truncated> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// `len` (at most 8) bytes, least significant first.
    #[inline]
    pub(crate) fn little(&mut self, len: usize, what: &'static str) -> Result<u64, Truncated> {
        Ok(self.take(len, what)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// `len` (at most 8) bytes, most significant first.
    #[inline]
    pub(crate) fn big(&mut self, len: usize, what: &'static str) -> Result<u64, Truncated> {
        Ok(self.take(len, what)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A length-encoded integer: up to 250 the byte itself, 252, 253, 254 announce 2, 3, 8 bytes.
    pub(crate) fn lenenc(&mut self, what: &'static str) -> Result<u64, Truncated> {
        match self.u8(what)? {
            short @ 0..=250 => Ok(u64::from(short)),
            252 => self.u16(what).map(u64::from),
            253 => self.u24(what).map(u64::from),
            254 => self.u64(what),
            _ => Err(Truncated(what)),
        }
    }

    /// A length-encoded integer that counts bytes or items still to come.
    pub(crate) fn lenenc_len(&mut self, what: &'static str) -> Result<usize, Truncated> {
        let value = self.lenenc(what)?;
        usize::try_from(value).map_err(|_| Truncated(what))
    }

    pub(crate) fn lenenc_bytes(&mut self, what: &'static str) -> Result<&'a [u8], Truncated> {
        let len = self.lenenc_len(what)?;
        self.take(len, what)
    }

    /// Bytes up to a NUL, which is read too.
    pub(crate) fn nul_terminated(&mut self, what: &'static str) -> Result<&'a [u8], Truncated> {
        let len = self.rest.iter().position(|byte| *byte == 0).ok_or(Truncated(what))?;
        let text = self.take(len, what)?;
        self.take(1, what)?;
        Ok(text)
    }
}

/// A bitmap, bit 0 first in the least significant bit of the first byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bits<'a>(pub(crate) &'a [u8]);

impl Bits<'_> {
    #[inline]
    pub(crate) fn get(&self, bit: usize) -> bool {
        self.0.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// Set bits among the first `bits`.
    pub(crate) fn count(&self, bits: usize) -> usize {
        (0..bits).filter(|bit| self.get(*bit)).count()
    }
}

/// Bytes that hold so many bits.
pub(crate) const fn bitmap_len(bits: usize) -> usize {
    bits.div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_byte_orders_and_stops_at_the_end() {
        let mut bytes = Bytes::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(bytes.u24("a"), Ok(0x03_02_01));
        assert_eq!(bytes.big(2, "b"), Ok(0x04_05));
        assert_eq!(bytes.u16("c"), Err(Truncated("c")));
        assert_eq!(bytes.rest(), [6]);
    }

    #[test]
    fn length_encoded_integers_beyond_the_end_are_refused() {
        assert_eq!(Bytes::new(&[252, 1, 2]).lenenc("n"), Ok(0x0201));
        assert_eq!(Bytes::new(&[251]).lenenc("n"), Err(Truncated("n")));
        assert_eq!(
            Bytes::new(&[254, 255, 255, 255, 255, 255, 255, 255, 255]).lenenc_bytes("n"),
            Err(Truncated("n"))
        );
        assert_eq!(Bytes::new(b"ab").nul_terminated("s"), Err(Truncated("s")));
    }

    #[test]
    fn bits_are_counted_from_the_low_end() {
        let bits = Bits(&[0b1000_0001, 0b10]);
        assert!(bits.get(0) && bits.get(7) && bits.get(9) && !bits.get(1) && !bits.get(99));
        assert_eq!((bits.count(8), bits.count(10)), (2, 3));
    }
}
