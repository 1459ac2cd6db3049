//! Rows that the target refuses, kept until a person decides.
//!
//! A row is parked with its key, the reason and its images; the task goes on. Later changes of the same row
//! key queue behind it: what is kept of them is their net effect (the row as the source has it now) and their
//! number, so an entry never grows with the changes. A row that meets another one on a unique key although
//! the overlap with the import is over (a coarser collation of the target, a row that somebody else wrote) is
//! parked with both rows.
//!
//! Item and payload: see [`crate::image`]. Kind [`ParkedRow::KIND`]. The header holds everything but the
//! images; images follow in the order `before`, `refused`, `latest`, `other`, as far as `images` names them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use whimbrel_model::{Position, RowBatch, RowRef};

use crate::image::{ImageError, RowOwner, decode_header, decode_image, encode_frame, one_row};
use crate::{ConnectorError, StateKey, TablePlan};

/// What the change was that the target refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusedOp {
    Insert,
    Update,
    Delete,
}

/// The row as the source has it after the last change that queued.
#[derive(Clone, Debug)]
pub enum ParkedState {
    /// No change queued: the refused change is the last one.
    Refused,
    /// It was deleted.
    Deleted,
    Row(RowBatch),
}

/// A parked row.
#[derive(Clone, Debug)]
pub struct ParkedRow {
    pub owner: RowOwner,
    pub op: RefusedOp,
    /// The stable code of the error, as in [`crate::ErrorKind::code`].
    pub code: String,
    /// The error with its causes.
    pub reason: String,
    /// A position at or after the change; `None` where it isn't known.
    pub at: Option<Position>,
    /// What the target was expected to hold before the change, where the change had it.
    pub before: Option<RowBatch>,
    /// What the target refused; `None` for a deletion.
    pub refused: Option<RowBatch>,
    /// Number of later changes of the key.
    pub queued: u64,
    pub latest: ParkedState,
    /// The other row, where the two meet on a unique key.
    pub other: Option<RowBatch>,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    owner: Cow<'a, RowOwner>,
    op: RefusedOp,
    code: Cow<'a, str>,
    reason: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Cow<'a, Position>>,
    queued: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    images: Vec<Image>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Image {
    Before,
    Refused,
    Latest,
    Other,
}

impl ParkedRow {
    /// The kind of its state entry.
    pub const KIND: &'static str = "parked";

    /// `before` and `after` are in the plan's source layout.
    pub fn new(
        plan: &TablePlan,
        before: Option<RowRef<'_>>,
        after: Option<RowRef<'_>>,
        error: &ConnectorError,
        at: Option<Position>,
    ) -> Self {
        let kinds = &plan.source.kinds;
        Self {
            owner: RowOwner::new(plan),
            op: match (before, after) {
                (_, None) => RefusedOp::Delete,
                (None, _) => RefusedOp::Insert,
                _ => RefusedOp::Update,
            },
            code: error.code().to_owned(),
            reason: error.chain(),
            at,
            before: before.map(|row| one_row(kinds, row)),
            refused: after.map(|row| one_row(kinds, row)),
            queued: 0,
            latest: ParkedState::Refused,
            other: None,
        }
    }

    /// Names the row that it met on a unique key; `other` has the layout of [`crate::Writer::fetch`].
    pub fn meeting(mut self, other: Option<RowRef<'_>>) -> Self {
        self.other = other.map(|row| {
            let kinds = self.owner.columns.iter().map(|column| column.data_type.cell_kind()).collect();
            one_row(&kinds, row)
        });
        self
    }

    /// Puts a later change of the key in the queue; `None` is its deletion.
    pub fn queue(&mut self, row: Option<RowRef<'_>>) {
        self.queued += 1;
        self.latest = match row {
            None => ParkedState::Deleted,
            Some(row) => {
                let kinds = self.owner.columns.iter().map(|column| column.data_type.cell_kind()).collect();
                ParkedState::Row(one_row(&kinds, row))
            }
        };
    }

    /// The row as the source has it after all changes up to now; `None` where it is deleted there.
    pub fn current(&self) -> Option<&RowBatch> {
        match &self.latest {
            ParkedState::Refused => self.refused.as_ref(),
            ParkedState::Deleted => None,
            ParkedState::Row(row) => Some(row),
        }
    }

    /// The entry's key: the row that the change leaves, or that it removes.
    pub fn state_key(&self) -> StateKey {
        let image = self.refused.as_ref().or(self.before.as_ref());
        let item = image.map(|image| self.owner.item(image.row(0))).unwrap_or_default();
        StateKey::new(Self::KIND, item)
    }

    pub fn encode(&self) -> Vec<u8> {
        let latest = match &self.latest {
            ParkedState::Row(row) => Some(row),
            _ => None,
        };
        let all = [
            (Image::Before, self.before.as_ref()),
            (Image::Refused, self.refused.as_ref()),
            (Image::Latest, latest),
            (Image::Other, self.other.as_ref()),
        ];
        let header = Header {
            owner: Cow::Borrowed(&self.owner),
            op: self.op,
            code: self.code.as_str().into(),
            reason: self.reason.as_str().into(),
            at: self.at.as_ref().map(Cow::Borrowed),
            queued: self.queued,
            deleted: matches!(self.latest, ParkedState::Deleted),
            images: all.iter().filter(|(_, image)| image.is_some()).map(|(name, _)| *name).collect(),
        };
        let images: Vec<&RowBatch> = all.iter().filter_map(|(_, image)| *image).collect();
        encode_frame(&header, &images)
    }

    /// # Errors
    /// Bytes that [`ParkedRow::encode`] didn't write.
    pub fn decode(mut payload: &[u8]) -> Result<Self, ImageError> {
        let header: Header<'_> = decode_header(&mut payload)?;
        let owner = header.owner.into_owned();
        let [mut before, mut refused, mut latest, mut other] = [const { None }; 4];
        for image in header.images {
            let row = Some(decode_image(&mut payload, &owner)?);
            match image {
                Image::Before => before = row,
                Image::Refused => refused = row,
                Image::Latest => latest = row,
                Image::Other => other = row,
            }
        }
        if before.is_none() && refused.is_none() {
            return Err(ImageError::Truncated("images"));
        }
        let latest = match latest {
            Some(row) => ParkedState::Row(row),
            None if header.deleted => ParkedState::Deleted,
            None => ParkedState::Refused,
        };
        Ok(Self {
            owner,
            op: header.op,
            code: header.code.into_owned(),
            reason: header.reason.into_owned(),
            at: header.at.map(Cow::into_owned),
            before,
            refused,
            queued: header.queued,
            latest,
            other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::image::tests::{plan, row};

    fn sample() -> ParkedRow {
        let plan = plan();
        let (before, after) = (row(&plan, 5, None), row(&plan, 5, Some(b"too long")));
        let error =
            ConnectorError::new(ErrorKind::RowRefused, "copy.orders", "data too long for column note");
        ParkedRow::new(&plan, Some(before.row(0)), Some(after.row(0)), &error, None)
    }

    const FROZEN: &str = concat!(
        r#"\x01\xfa\x02{\"owner\":{\"source\":{\"schema\":\"shop\",\"table\":\"orders\"},\""#,
        r#"target\":{\"schema\":\"copy\",\"table\":\"orders\"},\"columns\":[{\"name\":\"id\"#,
        r#"",\"data_type\":{\"type\":\"int\",\"bytes\":4,\"unsigned\":false,\"zerofill\":nu"#,
        r#"ll}},{\"name\":\"note\",\"data_type\":{\"type\":\"var_binary\",\"bytes\":9}}],\""#,
        r#"key\":[0]},\"op\":\"update\",\"code\":\"WB-3002\",\"reason\":\"data too long for"#,
        r#" column note\",\"queued\":0,\"images\":[\"before\",\"refused\"]}\x04\x01\x03\x00"#,
        r#"\n\x0c\x01\x03\n\ntoo long"#,
    );

    /// Persisted form: these bytes must be readable for ever.
    #[test]
    fn the_frozen_payload_reads_and_writes() {
        let bytes = sample().encode();
        assert_eq!(bytes.escape_ascii().to_string(), FROZEN);
        assert_eq!(ParkedRow::decode(&bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn a_queue_keeps_the_net_effect_and_the_number() {
        let plan = plan();
        let mut parked = sample();
        parked.queue(Some(row(&plan, 5, Some(b"ok")).row(0)));
        parked.queue(None);
        let read = ParkedRow::decode(&parked.encode()).unwrap();
        assert_eq!((read.queued, read.current().is_none()), (2, true));
        parked.queue(Some(row(&plan, 5, Some(b"again")).row(0)));
        let read = ParkedRow::decode(&parked.encode()).unwrap();
        assert_eq!(read.current().unwrap().row(0).raw(1), whimbrel_model::RawCell::Bytes(b"again"));
        assert_eq!(read.state_key(), sample().state_key());
    }

    #[test]
    fn damaged_payloads_are_errors() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert!(ParkedRow::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
