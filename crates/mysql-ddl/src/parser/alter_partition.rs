//! Clauses of ALTER TABLE about partitions, and those that one family has alone.

use super::{Parsed, Parser};
use crate::ast::{AlterClause, Ident, PartitionSelection};
use crate::dialect::Family;
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    /// A clause about partitions, or nothing when another clause begins here.
    pub(super) fn alter_partition_clause(&mut self) -> Parsed<Option<AlterClause>> {
        let (verb, object) = (self.kw(), self.nth_kw(1));
        let clause = match (verb, object) {
            (Kw::PARTITION, Kw::BY) => AlterClause::PartitionBy(self.partitioning()?),
            (Kw::REMOVE, Kw::PARTITIONING) => {
                self.at += 2;
                AlterClause::RemovePartitioning
            }
            (Kw::FIRST | Kw::LAST, Kw::PARTITION) => self.interval_partition(1)?,
            (Kw::MERGE, Kw::FIRST) | (Kw::SPLIT, Kw::MAXVALUE) => self.interval_partition(2)?,
            (Kw::DROP | Kw::TRUNCATE | Kw::RENAME, Kw::SUBPARTITION) => self.alter_subpartition(verb)?,
            (Kw::CONVERT, Kw::PARTITION | Kw::TABLE) => self.convert_partition()?,
            (_, Kw::PARTITION) => return self.partition_verb(verb),
            _ => return Ok(None),
        };
        Ok(Some(clause))
    }

    /// At `verb PARTITION`.
    fn partition_verb(&mut self, verb: Kw) -> Parsed<Option<AlterClause>> {
        let known = [
            Kw::ADD,
            Kw::DROP,
            Kw::TRUNCATE,
            Kw::COALESCE,
            Kw::REORGANIZE,
            Kw::EXCHANGE,
            Kw::RENAME,
            Kw::DISCARD,
            Kw::IMPORT,
            Kw::ANALYZE,
            Kw::CHECK,
            Kw::OPTIMIZE,
            Kw::REBUILD,
            Kw::REPAIR,
        ];
        if !known.contains(&verb) {
            return Ok(None);
        }
        self.at += 2;
        let clause = match verb {
            Kw::ADD => self.add_partition()?,
            Kw::DROP => {
                let if_exists = self.if_exists();
                AlterClause::DropPartition { if_exists, names: self.comma_list(Self::ident)? }
            }
            Kw::TRUNCATE => AlterClause::TruncatePartition(self.partition_selection()?),
            Kw::COALESCE => {
                let local = self.not_logged();
                AlterClause::CoalescePartition { local, count: self.integer()? }
            }
            Kw::REORGANIZE => self.reorganize_partition()?,
            Kw::EXCHANGE => self.exchange_partition()?,
            Kw::RENAME => {
                let (from, to) = self.old_and_new("partition name")?;
                AlterClause::RenamePartition { subpartition: false, from, to }
            }
            Kw::DISCARD => {
                let partitions = self.partition_selection()?;
                self.expect_kw(Kw::TABLESPACE)?;
                AlterClause::DiscardPartitionTablespace(partitions)
            }
            Kw::IMPORT => {
                let partitions = self.partition_selection()?;
                self.expect_kw(Kw::TABLESPACE)?;
                AlterClause::ImportPartitionTablespace(partitions)
            }
            _ => self.maintain_partition(verb)?,
        };
        Ok(Some(clause))
    }

    /// NO_WRITE_TO_BINLOG, LOCAL.
    fn not_logged(&mut self) -> bool {
        self.accept_one_of(&[Kw::NO_WRITE_TO_BINLOG, Kw::LOCAL]).is_some()
    }

    fn partition_selection(&mut self) -> Parsed<PartitionSelection> {
        if self.accept_kw(Kw::ALL) {
            return Ok(PartitionSelection::All);
        }
        Ok(PartitionSelection::Names(self.comma_list(|p| p.ident_as("partition name"))?))
    }

    fn add_partition(&mut self) -> Parsed<AlterClause> {
        let if_not_exists = self.if_not_exists();
        let local = self.not_logged();
        if self.accept_kw(Kw::PARTITIONS) {
            return Ok(AlterClause::AddPartitionCount { if_not_exists, local, count: self.integer()? });
        }
        let listed = self.is(TokenKind::Open);
        let definitions = if listed { self.parenthesised_list(Self::partition_def)? } else { Vec::new() };
        Ok(AlterClause::AddPartition { if_not_exists, local, definitions })
    }

    fn reorganize_partition(&mut self) -> Parsed<AlterClause> {
        let local = self.not_logged();
        let mut names: Vec<Ident> = Vec::new();
        let mut into = Vec::new();
        if self.is_identifier(self.peek()) {
            names = self.comma_list(|p| p.ident_as("partition name"))?;
            self.expect_kw(Kw::INTO)?;
            into = self.parenthesised_list(Self::partition_def)?;
        }
        Ok(AlterClause::ReorganizePartition { local, names, into })
    }

    fn exchange_partition(&mut self) -> Parsed<AlterClause> {
        let partition = self.ident_as("partition name")?;
        self.expect_words(&[Kw::WITH, Kw::TABLE])?;
        let table = self.table_name()?;
        Ok(AlterClause::ExchangePartition { partition, table, validation: self.validation() })
    }

    /// `[WITH|WITHOUT] VALIDATION`.
    fn validation(&mut self) -> Option<bool> {
        if self.accept_words(&[Kw::WITH, Kw::VALIDATION]) {
            Some(true)
        } else if self.accept_words(&[Kw::WITHOUT, Kw::VALIDATION]) {
            Some(false)
        } else {
            None
        }
    }

    fn maintain_partition(&mut self, verb: Kw) -> Parsed<AlterClause> {
        let local = self.not_logged();
        let partitions = self.partition_selection()?;
        let mut options = Vec::new();
        let words = [Kw::QUICK, Kw::FAST, Kw::MEDIUM, Kw::EXTENDED, Kw::CHANGED, Kw::USE_FRM];
        loop {
            if let Some(kw) = self.accept_one_of(&words) {
                options.push(kw.name().to_owned());
            } else if self.accept_words(&[Kw::FOR, Kw::UPGRADE]) {
                options.push("FOR UPGRADE".to_owned());
            } else if self.family() == Family::TiDb && matches!(self.kw(), Kw::INDEX | Kw::WITH) {
                options.push(self.rest("options")?.text);
            } else {
                return Ok(AlterClause::MaintainPartition {
                    verb: verb.name().to_owned(),
                    local,
                    partitions,
                    options,
                });
            }
        }
    }

    /// MariaDB: CONVERT PARTITION p TO TABLE t, CONVERT TABLE t TO PARTITION def.
    fn convert_partition(&mut self) -> Parsed<AlterClause> {
        self.expect_kw(Kw::CONVERT)?;
        if self.accept_kw(Kw::PARTITION) {
            let partition = self.ident_as("partition name")?;
            self.expect_words(&[Kw::TO, Kw::TABLE])?;
            return Ok(AlterClause::ConvertPartitionToTable { partition, table: self.table_name()? });
        }
        self.expect_kw(Kw::TABLE)?;
        let table = self.table_name()?;
        self.expect_kw(Kw::TO)?;
        let definition = self.partition_def()?;
        Ok(AlterClause::ConvertTableToPartition { table, definition, validation: self.validation() })
    }

    /// OceanBase: at DROP, TRUNCATE or RENAME SUBPARTITION.
    fn alter_subpartition(&mut self, verb: Kw) -> Parsed<AlterClause> {
        self.at += 2;
        if verb == Kw::RENAME {
            let (from, to) = self.old_and_new("subpartition name")?;
            return Ok(AlterClause::RenamePartition { subpartition: true, from, to });
        }
        let names = self.comma_list(|p| p.ident_as("subpartition name"))?;
        Ok(match verb {
            Kw::DROP => AlterClause::DropSubpartition { names },
            _ => AlterClause::TruncateSubpartition { names },
        })
    }

    /// TiDB: `FIRST PARTITION LESS THAN (..)` and its like; `words` stand before PARTITION.
    fn interval_partition(&mut self, words: usize) -> Parsed<AlterClause> {
        let verb = (0..words).map(|ahead| self.nth_kw(ahead).name()).collect::<Vec<_>>().join(" ");
        self.at += words;
        self.expect_words(&[Kw::PARTITION, Kw::LESS, Kw::THAN])?;
        Ok(AlterClause::IntervalPartition { verb, bound: self.parenthesised()? })
    }

    /// A clause that only TiDB or OceanBase has, kept as text, or nothing.
    pub(super) fn vendor_clause(&mut self) -> Parsed<Option<AlterClause>> {
        let first = self.at;
        let found = match self.family() {
            Family::TiDb => self.tidb_clause()?,
            Family::OceanBase => self.oceanbase_clause()?,
            Family::Mysql | Family::MariaDb => false,
        };
        if found { Ok(Some(AlterClause::Vendor(self.fragment_from(first)?))) } else { Ok(None) }
    }

    fn tidb_clause(&mut self) -> Parsed<bool> {
        match (self.kw(), self.nth_kw(1)) {
            (Kw::SET, Kw::TIFLASH) => self.tiflash_option().map(drop)?,
            (Kw::SET, Kw::HYPO) => {
                self.at += 2;
                self.expect_words(&[Kw::TIFLASH, Kw::REPLICA])?;
                self.integer()?;
            }
            (Kw::CACHE | Kw::NOCACHE, _) => self.at += 1,
            (Kw::REMOVE, Kw::TTL) => self.at += 2,
            (Kw::ATTRIBUTES, _) => {
                self.at += 1;
                self.accept_eq();
                self.plain_value()?;
            }
            (Kw::PARTITION, _) => {
                self.at += 1;
                self.ident_as("partition name")?;
                return self.tidb_partition_setting();
            }
            (Kw::COMPACT, _) => {
                self.at += 1;
                if self.accept_kw(Kw::PARTITION) {
                    self.comma_list(Self::ident)?;
                }
                self.accept_words(&[Kw::TIFLASH, Kw::REPLICA]);
            }
            (Kw::ADD | Kw::DROP, Kw::STATS_EXTENDED) => {
                let adds = self.kw() == Kw::ADD;
                self.at += 2;
                if !self.if_not_exists() {
                    self.if_exists();
                }
                self.ident()?;
                if adds {
                    self.ident_as("kind of statistics")?;
                    self.ident_list()?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// TiDB: `PARTITION p ATTRIBUTES = ..`, `PARTITION p PLACEMENT POLICY = ..`.
    fn tidb_partition_setting(&mut self) -> Parsed<bool> {
        if self.accept_kw(Kw::ATTRIBUTES) {
            self.accept_eq();
            self.plain_value()?;
            return Ok(true);
        }
        match self.table_option()? {
            Some(_) => Ok(true),
            None => Err(self.unexpected("ATTRIBUTES or PLACEMENT POLICY")),
        }
    }

    fn oceanbase_clause(&mut self) -> Parsed<bool> {
        match (self.kw(), self.nth_kw(1), self.nth_kw(2)) {
            (Kw::ADD | Kw::DROP, Kw::COLUMN, Kw::GROUP) => {
                self.at += 3;
                self.skip_parenthesised()?;
            }
            (Kw::DROP, Kw::TABLEGROUP, _) => self.at += 2,
            (Kw::SPLIT, Kw::PARTITION, _) => {
                self.at += 2;
                self.ident_as("partition name")?;
                self.expect_kw(Kw::INTO)?;
                self.skip_parenthesised()?;
            }
            (Kw::MODIFY, Kw::PARTITION, _) => {
                self.at += 2;
                self.ident_as("partition name")?;
                self.expect_words(&[Kw::ADD, Kw::SUBPARTITION])?;
                self.skip_parenthesised()?;
            }
            (Kw::REMOVE, Kw::TTL, _) => self.at += 2,
            (Kw::SET, _, _) if self.nth(1).kind != TokenKind::End => {
                self.at += 1;
                return match self.table_option()? {
                    Some(_) => Ok(true),
                    None => Err(self.unexpected("table option")),
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
