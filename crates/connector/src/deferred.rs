//! Rows that met another row on a unique key which were never there together.
//!
//! While increments run through the time in which the import read its chunks, an older image of one row may
//! meet a newer image of another on a unique key. Neither is wrong, and none may be deleted for the other:
//! the row that comes second is *deferred*: kept in the task's state (kind [`DeferredRow::KIND`]) and not
//! written. A later change of the same row key supersedes it. When the increments have passed the end of the
//! overlap, what is left is settled: written, or found to be a real conflict (see [`crate::ParkedRow`]).
//!
//! Item and payload: see [`crate::image`]. The header is `{"owner", "read_at", "clash"}`; one image.

use serde::{Deserialize, Serialize};
use whimbrel_model::{Position, RowBatch, RowRef};

use crate::image::{ImageError, RowOwner, decode_header, decode_image, encode_frame, one_row};
use crate::{StateKey, TablePlan};

/// A deferred row.
#[derive(Clone, Debug)]
pub struct DeferredRow {
    pub owner: RowOwner,
    /// All changes of the source at or before this position are in the image.
    pub read_at: Position,
    /// The unique key of the target on which it met another row.
    pub clash: String,
    /// One row in the columns of `owner`.
    pub row: RowBatch,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    owner: std::borrow::Cow<'a, RowOwner>,
    read_at: std::borrow::Cow<'a, Position>,
    clash: std::borrow::Cow<'a, str>,
}

impl DeferredRow {
    /// The kind of its state entry.
    pub const KIND: &'static str = "deferred";

    /// `row` is in the plan's source layout.
    pub fn new(plan: &TablePlan, row: RowRef<'_>, read_at: Position, clash: impl Into<String>) -> Self {
        Self {
            owner: RowOwner::new(plan),
            read_at,
            clash: clash.into(),
            row: one_row(&plan.source.kinds, row),
        }
    }

    pub fn state_key(&self) -> StateKey {
        StateKey::new(Self::KIND, self.owner.item(self.row.row(0)))
    }

    pub fn encode(&self) -> Vec<u8> {
        let header = Header {
            owner: std::borrow::Cow::Borrowed(&self.owner),
            read_at: std::borrow::Cow::Borrowed(&self.read_at),
            clash: self.clash.as_str().into(),
        };
        encode_frame(&header, &[&self.row])
    }

    /// # Errors
    /// Bytes that [`DeferredRow::encode`] didn't write.
    pub fn decode(mut payload: &[u8]) -> Result<Self, ImageError> {
        let header: Header<'_> = decode_header(&mut payload)?;
        let row = decode_image(&mut payload, &header.owner)?;
        Ok(Self {
            owner: header.owner.into_owned(),
            read_at: header.read_at.into_owned(),
            clash: header.clash.into_owned(),
            row,
        })
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_model::{BinlogPosition, GtidState};

    use super::*;
    use crate::image::tests::{plan, row};

    fn sample() -> DeferredRow {
        let plan = plan();
        let at = Position::Binlog(BinlogPosition {
            server: "1".into(),
            file: "binlog.000002".into(),
            offset: 40,
            gtids: GtidState::None,
        });
        DeferredRow::new(&plan, row(&plan, 5, Some(b"x")).row(0), at, "u")
    }

    const FROZEN: &str = concat!(
        r#"\x01\xe1\x02{\"owner\":{\"source\":{\"schema\":\"shop\",\"table\":\"orders\"},\""#,
        r#"target\":{\"schema\":\"copy\",\"table\":\"orders\"},\"columns\":[{\"name\":\"id\"#,
        r#"",\"data_type\":{\"type\":\"int\",\"bytes\":4,\"unsigned\":false,\"zerofill\":nu"#,
        r#"ll}},{\"name\":\"note\",\"data_type\":{\"type\":\"var_binary\",\"bytes\":9}}],\""#,
        r#"key\":[0]},\"read_at\":{\"kind\":\"binlog\",\"server\":\"1\",\"file\":\"binlog.0"#,
        r#"00002\",\"offset\":40},\"clash\":\"u\"}\x05\x01\x03\x03\nx"#,
    );

    /// Persisted form: these bytes must be readable for ever.
    #[test]
    fn the_frozen_payload_reads_and_writes() {
        let sample = sample();
        let bytes = sample.encode();
        assert_eq!(bytes.escape_ascii().to_string(), FROZEN);
        let read = DeferredRow::decode(&bytes).unwrap();
        assert_eq!((read.owner, read.read_at, read.clash), (sample.owner, sample.read_at, sample.clash));
        assert!(read.row.row(0).same(&sample.row.row(0)));
    }

    #[test]
    fn damaged_payloads_are_errors() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert!(DeferredRow::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        let mut newer = bytes;
        newer[0] = 2;
        assert!(matches!(DeferredRow::decode(&newer), Err(ImageError::Version(2))));
    }
}
