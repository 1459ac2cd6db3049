//! Partitions.

use std::fmt::{self, Display, Formatter};

use super::{Commas, flag, optional};
use crate::ast::{
    PartitionDef, PartitionMethod, PartitionValues, Partitioning, SubpartitionDef, Subpartitioning,
    SystemTimePartitioning,
};

impl Display for Partitioning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "PARTITION BY {}", self.method)?;
        optional(f, "", self.method_suffix.as_ref())?;
        optional(f, "PARTITIONS", self.count.as_ref())?;
        optional(f, "", self.subpartitioning.as_ref())?;
        if !self.definitions.is_empty() {
            write!(f, " ({})", Commas(&self.definitions))?;
        }
        optional(f, "", self.update_indexes.as_ref())
    }
}

impl Display for PartitionMethod {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let linear = |linear: &bool| if *linear { "LINEAR " } else { "" };
        match self {
            PartitionMethod::Hash { linear: l, expr } => write!(f, "{}HASH ({expr})", linear(l)),
            PartitionMethod::Key { linear: l, algorithm, columns } => {
                write!(f, "{}KEY", linear(l))?;
                optional(f, "ALGORITHM =", algorithm.as_ref())?;
                write!(f, " ({})", Commas(columns))
            }
            PartitionMethod::Range(expr) => write!(f, "RANGE ({expr})"),
            PartitionMethod::RangeColumns(columns) => write!(f, "RANGE COLUMNS ({})", Commas(columns)),
            PartitionMethod::List(expr) => write!(f, "LIST ({expr})"),
            PartitionMethod::ListColumns(columns) => write!(f, "LIST COLUMNS ({})", Commas(columns)),
            PartitionMethod::SystemTime(system_time) => Display::fmt(system_time, f),
            PartitionMethod::None => f.write_str("NONE"),
        }
    }
}

impl Display for SystemTimePartitioning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SYSTEM_TIME")?;
        optional(f, "INTERVAL", self.interval.as_ref())?;
        optional(f, "STARTS", self.starts.as_ref())?;
        optional(f, "LIMIT", self.limit.as_ref())?;
        flag(f, self.auto, "AUTO")
    }
}

impl Display for Subpartitioning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "SUBPARTITION BY {}", self.method)?;
        optional(f, "SUBPARTITIONS", self.count.as_ref())?;
        if !self.template.is_empty() {
            write!(f, " SUBPARTITION TEMPLATE ({})", Commas(&self.template))?;
        }
        Ok(())
    }
}

impl Display for PartitionDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "PARTITION {}{}{}", self.name, self.values, self.options)?;
        if !self.subpartitions.is_empty() {
            write!(f, " ({})", Commas(&self.subpartitions))?;
        }
        Ok(())
    }
}

impl Display for SubpartitionDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "SUBPARTITION {}{}{}", self.name, self.values, self.options)
    }
}

/// With a space in front.
impl Display for PartitionValues {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            PartitionValues::Unstated => Ok(()),
            PartitionValues::LessThan(list) => write!(f, " VALUES LESS THAN ({list})"),
            PartitionValues::LessThanMaxValue => f.write_str(" VALUES LESS THAN MAXVALUE"),
            PartitionValues::In(list) => write!(f, " VALUES IN ({list})"),
            PartitionValues::Default => f.write_str(" DEFAULT"),
            PartitionValues::History => f.write_str(" HISTORY"),
            PartitionValues::Current => f.write_str(" CURRENT"),
        }
    }
}
