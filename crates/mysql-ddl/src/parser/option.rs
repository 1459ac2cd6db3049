//! Options of tables, partitions and databases.

use super::{Parsed, Parser};
use crate::ast::{DatabaseOption, Fragment, OptionValue, TableOption, TableOptions};
use crate::dialect::Family;
use crate::keyword::Kw;
use crate::token::TokenKind;

/// Reserved words that are values of options.
pub(crate) const PLAIN_VALUES: [Kw; 7] =
    [Kw::DEFAULT, Kw::BINARY, Kw::INDEX, Kw::NULL, Kw::TRUE, Kw::FALSE, Kw::ON];

impl Parser<'_> {
    /// A value of one token, or a parenthesised list.
    pub(super) fn plain_value(&mut self) -> Parsed<OptionValue> {
        let token = self.peek();
        match token.kind {
            TokenKind::Str | TokenKind::NationalStr => Ok(OptionValue::String(self.string()?)),
            TokenKind::Int | TokenKind::Real => Ok(OptionValue::Number(self.number_text()?.to_owned())),
            TokenKind::Hex => {
                self.advance();
                Ok(OptionValue::Number(self.raw_text(token)?.to_owned()))
            }
            TokenKind::Op(b'-') => {
                self.advance();
                Ok(OptionValue::Number(format!("-{}", self.number_text()?)))
            }
            TokenKind::Word(kw) if PLAIN_VALUES.contains(&kw) => {
                self.advance();
                Ok(OptionValue::Word(self.raw_text(token)?.to_owned()))
            }
            TokenKind::Open => Ok(OptionValue::Text(self.parenthesised_whole()?)),
            _ => Ok(OptionValue::Word(self.ident_as("option value")?.value)),
        }
    }

    /// Options with or without commas between them, as CREATE TABLE and partitions have.
    pub(super) fn table_options(&mut self, options: &mut TableOptions) -> Parsed<()> {
        let mut behind_comma = false;
        loop {
            match self.table_option()? {
                Some(option) => options.0.push(option),
                None if behind_comma => return Err(self.unexpected("table option")),
                None => return Ok(()),
            }
            behind_comma = self.accept(TokenKind::Comma);
        }
    }

    /// One option, or nothing when none begins here.
    pub(super) fn table_option(&mut self) -> Parsed<Option<TableOption>> {
        let first = self.at;
        let Some((name, value)) = self.name_and_value()? else { return Ok(None) };
        Ok(Some(TableOption { name, value, span: self.span_from(first) }))
    }

    fn name_and_value(&mut self) -> Parsed<Option<(String, OptionValue)>> {
        if let Some(found) = self.charset_option()? {
            return Ok(Some(found));
        }
        if let Some(found) = self.worded_option()? {
            return Ok(Some(found));
        }
        let kw = self.kw();
        let name = match kw {
            Kw::TABLE_CHECKSUM => "CHECKSUM",
            Kw::TYPE if self.nth(1).kind == TokenKind::Eq => "ENGINE",
            _ if is_one_word_option(kw) => kw.name(),
            _ => return self.engine_option(),
        };
        self.advance();
        self.accept_eq();
        Ok(Some((name.to_owned(), self.plain_value()?)))
    }

    /// MariaDB: an engine's option, `name = value`.
    fn engine_option(&mut self) -> Parsed<Option<(String, OptionValue)>> {
        let assigns = self.is_identifier(self.peek()) && self.nth(1).kind == TokenKind::Eq;
        if !assigns || self.family() != Family::MariaDb {
            return Ok(None);
        }
        let token = self.peek();
        let name = self.ident()?.value;
        // Quoted, a reserved word is a name; no engine has such an option, and it would be taken for the server's.
        if Kw::of(name.as_bytes()).is_reserved() {
            return Err(self.unexpected_at(token, "table option"));
        }
        self.accept_eq();
        Ok(Some((name, self.plain_value()?)))
    }

    /// `[DEFAULT] CHARACTER SET [=] x`, `[DEFAULT] COLLATE [=] x`.
    fn charset_option(&mut self) -> Parsed<Option<(String, OptionValue)>> {
        let skip = usize::from(self.kw() == Kw::DEFAULT);
        let (name, words) = match (self.nth_kw(skip), self.nth_kw(skip + 1)) {
            (Kw::CHARACTER | Kw::CHAR, Kw::SET) => ("CHARSET", 2),
            (Kw::CHARSET, _) => ("CHARSET", 1),
            (Kw::COLLATE, _) => ("COLLATE", 1),
            _ => return Ok(None),
        };
        self.at += skip + words;
        self.accept_eq();
        let value = match self.charset_name("charset or collation")? {
            Some(value) => OptionValue::Word(value),
            None => OptionValue::Word("DEFAULT".to_owned()),
        };
        Ok(Some((name.to_owned(), value)))
    }

    /// Options whose name has more than one word, or whose value has a form of its own.
    fn worded_option(&mut self) -> Parsed<Option<(String, OptionValue)>> {
        let second = self.nth_kw(1);
        let (name, words) = match (self.kw(), second) {
            (Kw::STORAGE, Kw::ENGINE) => ("ENGINE", 2),
            (Kw::DATA, Kw::DIRECTORY) => ("DATA DIRECTORY", 2),
            (Kw::INDEX, Kw::DIRECTORY) => ("INDEX DIRECTORY", 2),
            (Kw::PLACEMENT, Kw::POLICY) => ("PLACEMENT POLICY", 2),
            (Kw::DEFAULT, Kw::TABLEGROUP) => ("DEFAULT TABLEGROUP", 2),
            (Kw::FORCE, Kw::AUTO_INCREMENT) => ("FORCE AUTO_INCREMENT", 2),
            (Kw::FORCE, Kw::AUTO_RANDOM_BASE) => ("FORCE AUTO_RANDOM_BASE", 2),
            (Kw::COLUMN, Kw::GROUP) | (Kw::WITH, Kw::COLUMN) if self.family() == Family::OceanBase => {
                return self.column_group_option().map(Some);
            }
            (Kw::START, Kw::TRANSACTION) => return Ok(Some(self.flag("START TRANSACTION", 2))),
            (Kw::WITH | Kw::WITHOUT, Kw::SYSTEM) => return self.versioning_option().map(Some),
            (Kw::ON, Kw::COMMIT) => return self.on_commit_option().map(Some),
            (Kw::NOPARALLEL, _) => return Ok(Some(self.flag("NOPARALLEL", 1))),
            (Kw::READ, Kw::ONLY) if self.nth(2).kind != TokenKind::Eq => {
                return Ok(Some(self.flag("READ ONLY", 2)));
            }
            (Kw::READ, Kw::WRITE) => return Ok(Some(self.flag("READ WRITE", 2))),
            (Kw::UNION, _) => return self.union_option().map(Some),
            (Kw::TTL, _) => {
                self.at += 1;
                self.accept_eq();
                return Ok(Some(("TTL".to_owned(), OptionValue::Text(self.ttl()?))));
            }
            _ => return Ok(None),
        };
        self.at += words;
        self.accept_eq();
        Ok(Some((name.to_owned(), self.plain_value()?)))
    }

    /// An option of `words` words, which the caller has seen, and no value.
    fn flag(&mut self, name: &str, words: usize) -> (String, OptionValue) {
        self.at += words;
        (name.to_owned(), OptionValue::None)
    }

    /// TiDB: ON COMMIT DELETE, PRESERVE ROWS.
    fn on_commit_option(&mut self) -> Parsed<(String, OptionValue)> {
        self.expect_words(&[Kw::ON, Kw::COMMIT])?;
        let name = match self.expect_one_of(&[Kw::DELETE, Kw::PRESERVE], "DELETE or PRESERVE")? {
            Kw::DELETE => "ON COMMIT DELETE ROWS",
            _ => "ON COMMIT PRESERVE ROWS",
        };
        self.expect_kw(Kw::ROWS)?;
        Ok((name.to_owned(), OptionValue::None))
    }

    /// MariaDB: WITH, WITHOUT SYSTEM VERSIONING.
    fn versioning_option(&mut self) -> Parsed<(String, OptionValue)> {
        let with = self.accept_kw(Kw::WITH);
        if !with {
            self.expect_kw(Kw::WITHOUT)?;
        }
        self.expect_words(&[Kw::SYSTEM, Kw::VERSIONING])?;
        let name = if with { "WITH SYSTEM VERSIONING" } else { "WITHOUT SYSTEM VERSIONING" };
        Ok((name.to_owned(), OptionValue::None))
    }

    /// OceanBase: WITH COLUMN GROUP (each column, all columns, ...).
    fn column_group_option(&mut self) -> Parsed<(String, OptionValue)> {
        self.accept_kw(Kw::WITH);
        self.expect_words(&[Kw::COLUMN, Kw::GROUP])?;
        Ok(("WITH COLUMN GROUP".to_owned(), OptionValue::Text(self.parenthesised_whole()?)))
    }

    /// `UNION [=] (a, b)`; the list may be empty.
    fn union_option(&mut self) -> Parsed<(String, OptionValue)> {
        self.expect_kw(Kw::UNION)?;
        self.accept_eq();
        self.expect_open()?;
        let tables = if self.is(TokenKind::Close) { Vec::new() } else { self.comma_list(Self::table_name)? };
        self.expect_close()?;
        Ok(("UNION".to_owned(), OptionValue::Tables(tables)))
    }

    /// TiDB: `column + INTERVAL n unit`; OceanBase: the same in parentheses.
    fn ttl(&mut self) -> Parsed<Fragment> {
        if self.is(TokenKind::Open) {
            return self.parenthesised_whole();
        }
        let first = self.at;
        self.ident_as("column name")?;
        self.expect(TokenKind::Op(b'+'), "+")?;
        self.interval()?;
        self.fragment_from(first)
    }

    /// `INTERVAL value unit`.
    pub(super) fn interval(&mut self) -> Parsed<()> {
        self.expect_kw(Kw::INTERVAL)?;
        if self.is(TokenKind::Open) {
            self.skip_parenthesised()?;
        } else if self.literal()?.is_none() {
            return Err(self.unexpected("interval"));
        }
        self.upper_word("unit of time").map(drop)
    }

    /// One option of a database, or nothing when none begins here.
    pub(super) fn database_option(&mut self) -> Parsed<Option<DatabaseOption>> {
        let first = self.at;
        let found = match (self.kw(), self.nth_kw(1)) {
            (Kw::SET, Kw::TIFLASH) => Some(self.tiflash_option()?),
            (Kw::DEFAULT, Kw::ENCRYPTION) => {
                self.at += 2;
                self.accept_eq();
                Some(("ENCRYPTION".to_owned(), self.plain_value()?))
            }
            (Kw::DEFAULT, Kw::PLACEMENT) => {
                self.at += 1;
                self.worded_option()?
            }
            (Kw::READ, Kw::ONLY) => {
                self.at += 2;
                let value = if self.accept_eq() || self.is(TokenKind::Int) || self.kw() == Kw::DEFAULT {
                    self.plain_value()?
                } else {
                    OptionValue::None
                };
                Some(("READ ONLY".to_owned(), value))
            }
            _ => self.name_and_value()?,
        };
        Ok(found.map(|(name, value)| DatabaseOption { name, value, span: self.span_from(first) }))
    }

    /// TiDB: `SET TIFLASH REPLICA n [LOCATION LABELS 'a', 'b']`.
    pub(super) fn tiflash_option(&mut self) -> Parsed<(String, OptionValue)> {
        self.expect_words(&[Kw::SET, Kw::TIFLASH, Kw::REPLICA])?;
        let first = self.at;
        self.integer()?;
        if self.accept_words(&[Kw::LOCATION, Kw::LABELS]) {
            self.comma_list(Self::string)?;
        }
        Ok(("SET TIFLASH REPLICA".to_owned(), OptionValue::Text(self.fragment_from(first)?)))
    }
}

/// Options that are one word and one value.
fn is_one_word_option(kw: Kw) -> bool {
    is_family_option(kw)
        || matches!(
            kw,
            Kw::ENGINE
                | Kw::SECONDARY_ENGINE
                | Kw::MAX_ROWS
                | Kw::MIN_ROWS
                | Kw::AVG_ROW_LENGTH
                | Kw::PASSWORD
                | Kw::COMMENT
                | Kw::COMPRESSION
                | Kw::ENCRYPTION
                | Kw::AUTO_INCREMENT
                | Kw::PACK_KEYS
                | Kw::STATS_AUTO_RECALC
                | Kw::STATS_PERSISTENT
                | Kw::STATS_SAMPLE_PAGES
                | Kw::CHECKSUM
                | Kw::DELAY_KEY_WRITE
                | Kw::ROW_FORMAT
                | Kw::INSERT_METHOD
                | Kw::TABLESPACE
                | Kw::STORAGE
                | Kw::CONNECTION
                | Kw::KEY_BLOCK_SIZE
                | Kw::ENGINE_ATTRIBUTE
                | Kw::SECONDARY_ENGINE_ATTRIBUTE
                | Kw::AUTOEXTEND_SIZE
                | Kw::NODEGROUP
                | Kw::UNDO_BUFFER_SIZE
        )
}

/// One-word options that only MariaDB, TiDB or OceanBase have.
fn is_family_option(kw: Kw) -> bool {
    matches!(
        kw,
        Kw::PAGE_CHECKSUM
            | Kw::TRANSACTIONAL
            | Kw::SEQUENCE
            | Kw::IETF_QUOTES
            | Kw::SHARD_ROW_ID_BITS
            | Kw::PRE_SPLIT_REGIONS
            | Kw::AUTO_ID_CACHE
            | Kw::AUTO_RANDOM_BASE
            | Kw::TTL_ENABLE
            | Kw::TTL_JOB_INTERVAL
            | Kw::STATS_BUCKETS
            | Kw::STATS_TOPN
            | Kw::STATS_COL_CHOICE
            | Kw::STATS_COL_LIST
            | Kw::STATS_SAMPLE_RATE
            | Kw::AFFINITY
            | Kw::ENGINE_ATTRIBUTES
            | Kw::BLOCK_SIZE
            | Kw::TABLET_SIZE
            | Kw::PCTFREE
            | Kw::REPLICA_NUM
            | Kw::USE_BLOOM_FILTER
            | Kw::TABLEGROUP
            | Kw::PRIMARY_ZONE
            | Kw::LOCALITY
            | Kw::PROGRESSIVE_MERGE_NUM
            | Kw::PROGRESSIVE_MERGE_ROUND
            | Kw::STORAGE_FORMAT_VERSION
            | Kw::TABLE_MODE
            | Kw::DUPLICATE_SCOPE
            | Kw::DUPLICATE_READ_CONSISTENCY
            | Kw::EXPIRE_INFO
            | Kw::PARALLEL
            | Kw::ORGANIZATION
            | Kw::ENABLE_EXTENDED_ROWID
            | Kw::LOB_INROW_THRESHOLD
            | Kw::MAX_USED_PART_ID
            | Kw::TABLE_ID
            | Kw::KV_ATTRIBUTES
            | Kw::AUTO_INCREMENT_MODE
            | Kw::AUTO_INCREMENT_CACHE_SIZE
            | Kw::MICRO_INDEX_CLUSTERED
            | Kw::DYNAMIC_PARTITION_POLICY
            | Kw::SEMISTRUCT_ENCODING_TYPE
            | Kw::MERGE_ENGINE
            | Kw::LOCATION
            | Kw::FORMAT
            | Kw::PATTERN
            | Kw::PROPERTIES
            | Kw::AUTO_REFRESH
    )
}
