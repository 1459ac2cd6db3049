//! FORMAT_DESCRIPTION: what the events after it look like. Also the checksum.
//!
//! ```text
//! 2 version (4)   50 server version, NUL padded   4 creation time   1 header length (19)
//! n lengths of the type-specific part of events, type 1 first
//! 1 checksum algorithm, 4 checksum      servers since MySQL 5.6.1 and MariaDB 5.3
//! ```

use super::bytes::Bytes;
use super::error::EventError;
use super::header::{EventHeader, FLAG_IN_USE, HEADER_LEN, kind};

/// Servers without checksums have fewer types of events: a damaged version doesn't pass for an old one.
const OLD_TYPES_MAX: usize = 30;

/// What protects events against damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    None,
    /// CRC-32 (IEEE) over the whole event, in its last four bytes.
    Crc32,
}

/// How the events of a file are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatDescription {
    /// As the server prints it: `9.7.4`, `10.11.19-MariaDB-log`.
    pub server_version: String,
    pub checksum: Checksum,
    post_header_lengths: Vec<u8>,
}

impl FormatDescription {
    /// Reads the event, checksum included, and verifies it.
    pub(crate) fn read(event: &[u8]) -> Result<Self, EventError> {
        let mut body = Bytes::new(event);
        body.take(HEADER_LEN, "event header")?;
        let version = body.u16("binlog version")?;
        if version != 4 {
            return Err(EventError::Version(version));
        }
        let name = body.take(50, "server version")?;
        let server_version =
            String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
        body.u32("creation time")?;
        if usize::from(body.u8("header length")?) != HEADER_LEN {
            return Err(EventError::Invalid("event headers don't have 19 bytes"));
        }
        let (lengths, checksum) = if knows_checksums(&server_version) {
            let split =
                body.len().checked_sub(5).ok_or(EventError::Invalid("format description is too short"))?;
            let lengths = body.take(split, "lengths of events")?;
            let checksum = match body.u8("checksum algorithm")? {
                0 => Checksum::None,
                1 => Checksum::Crc32,
                other => return Err(EventError::ChecksumAlgorithm(other)),
            };
            // Written and checked whatever the algorithm of the other events: a damaged algorithm is noticed.
            verify(event)?;
            (lengths, checksum)
        } else if body.len() > OLD_TYPES_MAX {
            return Err(EventError::Invalid("format description lists more events than its server has"));
        } else {
            (body.rest(), Checksum::None)
        };
        let format = Self { server_version, checksum, post_header_lengths: lengths.to_vec() };
        format.check_lengths()?;
        Ok(format)
    }

    /// Bytes of the type-specific part of an event; 0 where the description doesn't list the type.
    pub fn post_header_len(&self, event_type: u8) -> usize {
        let index = usize::from(event_type).checked_sub(1);
        index.and_then(|index| self.post_header_lengths.get(index)).copied().map_or(0, usize::from)
    }

    pub fn is_mariadb(&self) -> bool {
        self.server_version.to_ascii_lowercase().contains("mariadb")
    }

    /// Major, minor and patch of the server that wrote the file.
    pub fn version(&self) -> (u16, u16, u16) {
        version_numbers(&self.server_version)
    }

    /// Lengths that this decoder relies on must be those it knows.
    fn check_lengths(&self) -> Result<(), EventError> {
        let fits = |event_type: u8, known: &[usize]| {
            let stated = self.post_header_len(event_type);
            stated == 0 || known.contains(&stated)
        };
        let fixed = [
            (kind::QUERY, &[11, 13][..]),
            (kind::ROTATE, &[8]),
            (kind::TABLE_MAP, &[6, 8]),
            (kind::WRITE_ROWS_V1, &[6, 8]),
            (kind::UPDATE_ROWS_V1, &[6, 8]),
            (kind::DELETE_ROWS_V1, &[6, 8]),
            (kind::WRITE_ROWS_V2, &[10]),
            (kind::UPDATE_ROWS_V2, &[10]),
            (kind::DELETE_ROWS_V2, &[10]),
            (kind::EXECUTE_LOAD_QUERY, &[26]),
        ];
        if fixed.iter().all(|(event_type, known)| fits(*event_type, known)) {
            Ok(())
        } else {
            Err(EventError::Invalid("format description gives an event a length that no server has"))
        }
    }
}

/// Since MySQL 5.6.1 and MariaDB 5.3 a format description says whether events carry checksums.
fn knows_checksums(server_version: &str) -> bool {
    let first = if server_version.to_ascii_lowercase().contains("mariadb") { (5, 3, 0) } else { (5, 6, 1) };
    version_numbers(server_version) >= first
}

fn version_numbers(text: &str) -> (u16, u16, u16) {
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text.splitn(3, '.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| part.split_at(end).0);
        digits.parse().unwrap_or(0)
    });
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// Checks the last four bytes against all before them.
pub(crate) fn verify(event: &[u8]) -> Result<(), EventError> {
    let (covered, stored) =
        event.split_last_chunk::<4>().ok_or(EventError::Invalid("event without checksum"))?;
    let stored = u32::from_le_bytes(*stored);
    let computed = checksum_of(covered);
    if stored == computed { Ok(()) } else { Err(EventError::Checksum { stored, computed }) }
}

fn checksum_of(covered: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let in_use = EventHeader::read(&mut Bytes::new(covered))
        .ok()
        .filter(|header| header.event_type == kind::FORMAT_DESCRIPTION && header.flags & FLAG_IN_USE != 0);
    match (in_use, covered.split_at_checked(HEADER_LEN - 2), covered.split_at_checked(HEADER_LEN)) {
        // The flag is set while the file is written and cleared afterwards, the checksum stays.
        (Some(header), Some((before, _)), Some((_, after))) => {
            hasher.update(before);
            hasher.update(&(header.flags & !FLAG_IN_USE).to_le_bytes());
            hasher.update(after);
        }
        _ => hasher.update(covered),
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_tell_whether_there_are_checksums() {
        for (version, knows) in [
            ("5.5.9-log", false),
            ("5.6.0-m1", false),
            ("5.6.24-log", true),
            ("9.7.4", true),
            ("5.5.5-10.2.11-MariaDB-log", true),
            ("10.11.19-MariaDB", true),
        ] {
            assert_eq!(knows_checksums(version), knows, "{version}");
        }
    }

    /// The description of a MySQL 5.5 server, as documented, without checksum.
    fn old_description(lengths: &[u8]) -> Vec<u8> {
        let mut event = vec![0; HEADER_LEN];
        event.extend_from_slice(&4u16.to_le_bytes());
        let mut version = b"5.5.9-log".to_vec();
        version.resize(50, 0);
        event.extend_from_slice(&version);
        event.extend_from_slice(&[0, 0, 0, 0, 19]);
        event.extend_from_slice(lengths);
        event
    }

    #[test]
    fn an_old_description_has_lengths_and_no_checksum() {
        let lengths = [56, 13, 0, 8, 0, 18, 0, 4, 4, 4, 4, 18, 0, 0, 84, 0, 4, 26, 8, 0, 0, 0, 8, 8, 8, 2, 0];
        let format = FormatDescription::read(&old_description(&lengths)).unwrap();
        assert_eq!(format.checksum, Checksum::None);
        assert_eq!(format.post_header_len(kind::TABLE_MAP), 8);
        assert_eq!(format.post_header_len(kind::WRITE_ROWS_V2), 0);
        assert_eq!(format.version(), (5, 5, 9));
        assert!(!format.is_mariadb());
    }

    #[test]
    fn lengths_that_no_server_has_are_refused() {
        assert!(matches!(FormatDescription::read(&old_description(&[56, 99])), Err(EventError::Invalid(_))));
    }
}
