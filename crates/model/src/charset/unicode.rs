//! UTF-16 and UTF-32 as servers store them: without byte order mark; lone surrogates are no text.

/// Characters of two bytes each: none beyond the first plane.
pub(super) fn decode_ucs2(bytes: &[u8]) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    units.iter().map(|pair| char::from_u32(u32::from(u16::from_be_bytes(*pair)))).collect()
}

pub(super) fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(units.iter().map(|pair| unit(*pair))).collect::<Result<_, _>>().ok()
}

pub(super) fn decode_utf32(bytes: &[u8]) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
}

pub(super) fn encode_ucs2(text: &str) -> Option<Vec<u8>> {
    is_first_plane(text).then(|| encode_utf16(text, u16::to_be_bytes))
}

pub(super) fn encode_utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

pub(super) fn encode_utf32(text: &str) -> Vec<u8> {
    text.chars().flat_map(|character| u32::from(character).to_be_bytes()).collect()
}

/// True where no character needs more than 16 bits, and so none four bytes of UTF-8.
pub(super) fn is_first_plane(text: &str) -> bool {
    text.bytes().all(|byte| byte < 0xf0)
}
