//! PARTITION BY and partition definitions.

use super::{Parsed, Parser};
use crate::ast::{
    Fragment, PartitionDef, PartitionMethod, PartitionValues, Partitioning, SubpartitionDef, Subpartitioning,
    SystemTimePartitioning, TableOptions,
};
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    /// At PARTITION BY.
    pub(super) fn partitioning(&mut self) -> Parsed<Partitioning> {
        let first = self.at;
        self.expect_words(&[Kw::PARTITION, Kw::BY])?;
        let method = self.partition_method()?;
        let method_suffix = self.method_suffix()?;
        let mut count = None;
        if self.accept_kw(Kw::PARTITIONS) {
            count = Some(self.integer()?);
        }
        let subpartitioning = if self.kw() == Kw::SUBPARTITION && self.nth_kw(1) == Kw::BY {
            Some(self.subpartitioning()?)
        } else {
            None
        };
        // OceanBase and MariaDB's SYSTEM_TIME also take the count behind the subpartitions.
        if count.is_none() && self.accept_kw(Kw::PARTITIONS) {
            count = Some(self.integer()?);
        }
        let definitions =
            if self.is(TokenKind::Open) { self.parenthesised_list(Self::partition_def)? } else { Vec::new() };
        let update_indexes = self.update_indexes()?;
        Ok(Partitioning {
            method,
            count,
            subpartitioning,
            definitions,
            method_suffix,
            update_indexes,
            span: self.span_from(first),
        })
    }

    fn partition_method(&mut self) -> Parsed<PartitionMethod> {
        let linear = self.accept_kw(Kw::LINEAR);
        let words = if linear {
            &[Kw::HASH, Kw::KEY][..]
        } else {
            &[Kw::HASH, Kw::KEY, Kw::RANGE, Kw::LIST, Kw::SYSTEM_TIME, Kw::NONE][..]
        };
        match self.expect_one_of(words, "HASH, KEY, RANGE, LIST or SYSTEM_TIME")? {
            Kw::HASH => Ok(PartitionMethod::Hash { linear, expr: self.parenthesised()? }),
            Kw::KEY => self.key_method(linear),
            Kw::SYSTEM_TIME => Ok(PartitionMethod::SystemTime(self.system_time()?)),
            Kw::NONE => Ok(PartitionMethod::None),
            Kw::RANGE if self.accept_columns() => Ok(PartitionMethod::RangeColumns(self.ident_list()?)),
            Kw::RANGE => Ok(PartitionMethod::Range(self.parenthesised()?)),
            _ if self.accept_columns() => Ok(PartitionMethod::ListColumns(self.ident_list()?)),
            _ => Ok(PartitionMethod::List(self.parenthesised()?)),
        }
    }

    /// COLUMNS, and FIELDS, which every server reads as COLUMNS.
    fn accept_columns(&mut self) -> bool {
        self.accept_one_of(&[Kw::COLUMNS, Kw::FIELDS]).is_some()
    }

    fn key_method(&mut self, linear: bool) -> Parsed<PartitionMethod> {
        let mut algorithm = None;
        if self.accept_kw(Kw::ALGORITHM) {
            self.accept_eq();
            algorithm = Some(self.integer()?);
        }
        self.expect_open()?;
        let columns = if self.is(TokenKind::Close) { Vec::new() } else { self.comma_list(Self::ident)? };
        self.expect_close()?;
        Ok(PartitionMethod::Key { linear, algorithm, columns })
    }

    fn system_time(&mut self) -> Parsed<SystemTimePartitioning> {
        let mut found = SystemTimePartitioning { interval: None, starts: None, limit: None, auto: false };
        loop {
            match self.kw() {
                Kw::INTERVAL => {
                    let first = self.at + 1;
                    self.interval()?;
                    found.interval = Some(self.fragment_from(first)?);
                }
                Kw::STARTS => {
                    self.advance();
                    found.starts = Some(self.starts()?);
                }
                Kw::LIMIT => {
                    self.advance();
                    found.limit = Some(self.integer()?);
                }
                Kw::AUTO => {
                    self.advance();
                    found.auto = true;
                }
                _ => return Ok(found),
            }
        }
    }

    /// A constant, a call, or an expression in parentheses.
    fn starts(&mut self) -> Parsed<Fragment> {
        let first = self.at;
        if self.is(TokenKind::Open) {
            self.skip_parenthesised()?;
        } else if self.literal()?.is_none() {
            self.upper_word("point in time")?;
            if self.is(TokenKind::Open) {
                self.skip_parenthesised()?;
            }
        }
        self.fragment_from(first)
    }

    fn method_suffix(&mut self) -> Parsed<Option<Fragment>> {
        let first = self.at;
        if self.accept_kw(Kw::SIZE) {
            self.skip_parenthesised()?;
            return self.fragment_from(first).map(Some);
        }
        if !self.accept_kw(Kw::INTERVAL) {
            return Ok(None);
        }
        self.skip_parenthesised()?;
        for end in [Kw::FIRST, Kw::LAST] {
            if self.accept_words(&[end, Kw::PARTITION, Kw::LESS, Kw::THAN]) {
                self.skip_parenthesised()?;
            }
        }
        self.accept_words(&[Kw::NULL, Kw::PARTITION]);
        self.accept_words(&[Kw::MAXVALUE, Kw::PARTITION]);
        self.fragment_from(first).map(Some)
    }

    /// TiDB: UPDATE INDEXES (...).
    fn update_indexes(&mut self) -> Parsed<Option<Fragment>> {
        let first = self.at;
        if !self.accept_words(&[Kw::UPDATE, Kw::INDEXES]) {
            return Ok(None);
        }
        self.skip_parenthesised()?;
        self.fragment_from(first).map(Some)
    }

    fn subpartitioning(&mut self) -> Parsed<Subpartitioning> {
        self.expect_words(&[Kw::SUBPARTITION, Kw::BY])?;
        let method = self.partition_method()?;
        let mut count = None;
        let mut template = Vec::new();
        if self.accept_kw(Kw::SUBPARTITIONS) {
            count = Some(self.integer()?);
        }
        if self.accept_words(&[Kw::SUBPARTITION, Kw::TEMPLATE]) {
            template = self.parenthesised_list(Self::subpartition_def)?;
        }
        Ok(Subpartitioning { method, count, template })
    }

    /// `PARTITION name values options (subpartitions)`.
    pub(super) fn partition_def(&mut self) -> Parsed<PartitionDef> {
        let first = self.at;
        self.expect_kw(Kw::PARTITION)?;
        let name = self.ident_as("partition name")?;
        let values = self.partition_values()?;
        let mut options = TableOptions::default();
        self.partition_options(&mut options)?;
        let subpartitions = if self.is(TokenKind::Open) {
            self.parenthesised_list(Self::subpartition_def)?
        } else {
            Vec::new()
        };
        Ok(PartitionDef { name, values, options, subpartitions, span: self.span_from(first) })
    }

    fn subpartition_def(&mut self) -> Parsed<SubpartitionDef> {
        self.expect_kw(Kw::SUBPARTITION)?;
        let token = self.peek();
        // MySQL takes a string as a subpartition's name.
        let name = if self.is(TokenKind::Str) {
            crate::ast::Ident { value: self.string()?, span: token.span() }
        } else {
            self.ident_as("subpartition name")?
        };
        let values = self.partition_values()?;
        let mut options = TableOptions::default();
        self.partition_options(&mut options)?;
        Ok(SubpartitionDef { name, values, options })
    }

    /// As a table's, but commas end the definition.
    fn partition_options(&mut self, options: &mut TableOptions) -> Parsed<()> {
        while let Some(option) = self.table_option()? {
            options.0.push(option);
        }
        Ok(())
    }

    fn partition_values(&mut self) -> Parsed<PartitionValues> {
        if let Some(kw) = self.accept_one_of(&[Kw::HISTORY, Kw::CURRENT, Kw::DEFAULT]) {
            return Ok(match kw {
                Kw::HISTORY => PartitionValues::History,
                Kw::CURRENT => PartitionValues::Current,
                _ => PartitionValues::Default,
            });
        }
        if !self.accept_kw(Kw::VALUES) {
            return Ok(PartitionValues::Unstated);
        }
        match self.expect_one_of(&[Kw::LESS, Kw::IN], "LESS THAN or IN")? {
            Kw::LESS => {
                self.expect_kw(Kw::THAN)?;
                if self.accept_kw(Kw::MAXVALUE) {
                    return Ok(PartitionValues::LessThanMaxValue);
                }
                Ok(PartitionValues::LessThan(self.parenthesised()?))
            }
            _ => Ok(PartitionValues::In(self.parenthesised()?)),
        }
    }
}
