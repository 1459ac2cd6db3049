//! What only a server knows about texts: how a collation compares them.

use whimbrel_model::Charset;

/// What is asked about one or two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextAsk {
    /// Whether the left text is before, at or behind the right one: `-1`, `0`, `1`.
    Compare,
    /// Whether the left text is LIKE the right one, in which `|` escapes: `0`, `1`. The pattern is UTF-8.
    Like,
    /// The left text in lower case, in its charset.
    Lower,
    /// The left text in upper case, in its charset.
    Upper,
}

/// A question about texts under a collation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextQuestion {
    pub charset: Charset,
    /// The server's name of it; of the same charset.
    pub collation: String,
    pub ask: TextAsk,
    /// Bytes in the charset.
    pub left: Vec<u8>,
    /// Bytes in the charset, or as `ask` says; empty where one text is asked about.
    pub right: Vec<u8>,
}
