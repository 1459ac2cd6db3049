//! The command line: a contract, since scripts depend on it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::ddl_policy::DdlRule;
use crate::quantity;

#[derive(Debug, Parser)]
#[command(name = "whimbrel", version, about = "Moves a live database without stopping its application.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Converts the schema, copies the rows, applies what changes, and verifies.
    #[command(after_help = EXIT_CODES)]
    Migrate(MigrateArgs),
    /// Compares all fields of all rows of source and target, and writes differences and correction SQL.
    #[command(after_help = EXIT_CODES)]
    Verify(VerifyArgs),
    /// Tells whether a migration can work: settings, privileges, names. Changes nothing.
    #[command(after_help = EXIT_CODES)]
    Check(MigrateArgs),
    /// Prints the DDL and the plan of a migration. Changes nothing.
    Plan(PlanArgs),
    /// Reports what will be moved, changed or not possible, what to do about it, and risks in the data itself.
    Assess(AssessArgs),
    /// Proves which values the target holds: writes limits of every type into a scratch schema and reads them back.
    #[command(after_help = PROVE_CODES)]
    Prove(ProveArgs),
    /// Shows what is in a Store.
    Store(StoreArgs),
    /// Reads statements of the data definition language.
    Ddl(DdlArgs),
    /// Shows and settles rows and statements that wait for a person, of a task that runs or doesn't.
    Parked(ParkedArgs),
}

pub const EXIT_CODES: &str = "Exit codes: 0 done and equal; 1 failed; 2 usage; 3 done but verification found \
differences; 4 precheck failed.\n\nPasswords may stand in the URL, in WHIMBREL_SOURCE_PASSWORD and \
WHIMBREL_TARGET_PASSWORD, or are asked for at a terminal.";

const PROVE_CODES: &str = "Exit codes: 0 all values are kept; 1 failed or interrupted; 2 usage; 3 some are lost or \
refused; 4 precheck failed.";

/// Both ends and which tables.
#[derive(Debug, Clone, Args)]
pub struct EndpointArgs {
    /// A YAML file that holds what flags hold, under the same names; flags override it.
    #[arg(long, value_name = "FILE.yaml")]
    pub config: Option<PathBuf>,
    /// Where the rows are: mysql://user@host:port/ or mariadb://user@host:port/
    #[arg(long, value_name = "URL")]
    pub source: String,
    /// Where they go: oceanbase://user@tenant#cluster@host:port/, mysql:// or mariadb://
    #[arg(long, value_name = "URL")]
    pub target: String,
    /// Tables to move: 'db.table' with *, ? and [...]; may be given several times.
    #[arg(long, value_name = "PATTERN", required = true)]
    pub include: Vec<String>,
    /// Tables to leave out of what is included.
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// New names: 'a.*=b.*' puts every table of a into b; each * of the right side takes what a * of the left
    /// side matched.
    #[arg(long, value_name = "FROM=TO")]
    pub map: Vec<String>,
    /// Only rows that fulfil an SQL condition: 'db.table=condition'; several for one table are joined by AND.
    #[arg(long = "where", value_name = "TABLE=CONDITION")]
    pub rows: Vec<String>,
    /// Only these columns, 'db.table=id,name', or all but these, 'db.table=-secret,-notes'.
    #[arg(long, value_name = "TABLE=LIST", allow_hyphen_values = true)]
    pub columns: Vec<String>,
    /// Another name of a column at the target: 'db.table.old=new'.
    #[arg(long, value_name = "COLUMN=NEW")]
    pub rename_column: Vec<String>,
}

/// Columns that are converted by choice.
#[derive(Debug, Clone, Default, Args)]
pub struct ConversionArgs {
    /// Gives a column another type: 'db.table.column=TYPE', with *, ? and [...] in the names; 'db.*.*:enum=TYPE' names
    /// only columns of that type. The most specific one counts.
    #[arg(long, value_name = "COLUMN=TYPE")]
    pub convert: Vec<String>,
    /// Agrees that a conversion loses values of this column: 'db.table.column'.
    #[arg(long, value_name = "COLUMN")]
    pub accept_loss: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    pub ends: EndpointArgs,
    #[command(flatten)]
    pub conversions: ConversionArgs,
    /// What to do, in this order.
    #[arg(long, value_delimiter = ',', default_value = "schema,full,incr,verify")]
    pub steps: Vec<Step>,
    /// Go on applying changes until SIGINT or SIGTERM.
    #[arg(long)]
    pub follow: bool,
    /// Source transactions stay whole and in order, or each key for itself (faster).
    #[arg(long, value_enum, default_value = "transaction")]
    pub apply: ApplyMode,
    /// What to do about rows that are in the target already.
    #[arg(long, value_enum, default_value = "stop")]
    pub existing: ExistingMode,
    /// What to do about a row that somebody else changed at the target.
    #[arg(long, value_enum, default_value = "repair")]
    pub foreign_changes: ForeignPolicy,
    /// What to do about a kind of statement in the source's log: KIND=apply|skip|stop|ask, or all=...; may be given
    /// several times. Everything is applied by default.
    #[arg(long, value_name = "KIND=ACTION")]
    pub ddl: Vec<DdlRule>,
    /// What to do about a statement that the target refuses or that can't be converted: park it with its tables, or
    /// stop the task.
    #[arg(long, value_enum, default_value = "park")]
    pub on_ddl_error: OnDdlError,
    /// Holds all state of this machine's tasks.
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Name of the task; the same --home and --name resume it.
    #[arg(long, default_value = "default")]
    pub name: String,
    /// Serves /status, /metrics and a page at this address, such as 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Writes the report there, as JSON.
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// Difference files and correction SQL go there (default: the task's folder in --home).
    #[arg(long, value_name = "DIR")]
    pub corrections: Option<PathBuf>,
    /// Parallel connections to each side.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub workers: u8,
    /// Most rows a second during full import (0: no limit).
    #[arg(long, default_value_t = 0, value_name = "ROWS")]
    pub rate_limit: u64,
    #[command(flatten)]
    pub store: StoreSettings,
}

/// How the task's Store is kept and served. May differ from one run to the next.
#[derive(Debug, Clone, Args)]
pub struct StoreSettings {
    /// Files of the Store that no consumer needs go after this age (30m, 12h, 7d).
    #[arg(long, default_value = "7d", value_name = "AGE", value_parser = quantity::age)]
    pub store_keep: Duration,
    /// Files of the Store that no consumer needs go while all are larger than this (512M, 50G).
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub store_limit: Option<u64>,
    /// Serves the Store to consumers in other processes, at unix:PATH or HOST:PORT.
    #[arg(long, value_name = "ADDR")]
    pub store_listen: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub migrate: MigrateArgs,
    /// For people, for programs, or a script that can be run at the target as it is.
    #[arg(long, value_enum, default_value = "text")]
    pub format: PlanFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    Text,
    Json,
    Sql,
}

#[derive(Debug, Clone, Args)]
pub struct AssessArgs {
    #[command(flatten)]
    pub ends: EndpointArgs,
    #[command(flatten)]
    pub conversions: ConversionArgs,
    /// For people, for programs, or a page for people.
    #[arg(long, value_enum, default_value = "text")]
    pub format: AssessFormat,
    /// Whether to look for risks in the rows themselves: not at all, in the first 100,000 rows of each table for at most
    /// 10 s a statement, or in all rows without a limit.
    #[arg(long, value_enum, default_value = "sampled")]
    pub data_checks: DataChecks,
    /// Writes the report there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AssessFormat {
    Text,
    Json,
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataChecks {
    Off,
    Sampled,
    Full,
}

#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub ends: EndpointArgs,
    /// Difference files and correction SQL go there.
    #[arg(long, value_name = "DIR")]
    pub corrections: Option<PathBuf>,
    /// Writes the report there, as JSON.
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// Parallel connections to each side.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub workers: u8,
}

#[derive(Debug, Clone, Args)]
pub struct ProveArgs {
    /// The server to try, as for migrate.
    #[arg(long, value_name = "URL")]
    pub target: String,
    /// Where the project's tables are; they are only read.
    #[arg(long, value_name = "URL", requires = "include", conflicts_with = "types")]
    pub source: Option<String>,
    /// Tables whose columns are tried: 'db.table' with *, ? and [...]; may be given several times.
    #[arg(long, value_name = "PATTERN", requires = "source")]
    pub include: Vec<String>,
    /// Tables to leave out of what is included.
    #[arg(long, value_name = "PATTERN", requires = "source")]
    pub exclude: Vec<String>,
    /// Every type that a source may have, instead of a project's.
    #[arg(long, value_enum, required_unless_present = "source")]
    pub types: Option<ProvedTypes>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: ProofFormat,
    /// The proof is kept there, for prechecks.
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProvedTypes {
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProofFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// The --home of the task.
    #[arg(long, value_name = "DIR", global = true)]
    pub home: Option<PathBuf>,
    /// The --name of the task.
    #[arg(long, default_value = "default", global = true)]
    pub name: String,
    #[command(subcommand)]
    pub command: StoreCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Lists the segments.
    Ls,
    /// Prints records.
    Dump {
        /// A position (file:offset) or a time (2026-11-23T10:00:00Z); default is the begin.
        #[arg(long, value_name = "POSITION|TIME")]
        from: Option<String>,
        /// Most records to print.
        #[arg(long, default_value_t = u64::MAX, value_name = "N", hide_default_value = true)]
        limit: u64,
    },
    /// Reads everything and checks every checksum.
    Verify,
    /// Prints records of a running task as they come; it needs migrate --store-listen there.
    Tail {
        /// Where the Store is served: unix:PATH or HOST:PORT.
        #[arg(long, value_name = "ADDR")]
        connect: String,
        /// A record's number or a time (2026-11-23T10:00:00Z); default is the begin.
        #[arg(long, value_name = "NUMBER|TIME")]
        from: Option<String>,
        /// Registers under this name, so that the Store keeps what hasn't been printed yet.
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        /// Most lines to print.
        #[arg(long, default_value_t = u64::MAX, value_name = "N", hide_default_value = true)]
        limit: u64,
    },
}

#[derive(Debug, Clone, Args)]
pub struct ParkedArgs {
    /// The --home of the task.
    #[arg(long, value_name = "DIR", global = true)]
    pub home: Option<PathBuf>,
    /// The --name of the task.
    #[arg(long, default_value = "default", global = true)]
    pub name: String,
    /// The task's --target, where it isn't running and the URL has more to say than user, host and port.
    #[arg(long, value_name = "URL", global = true)]
    pub target: Option<String>,
    #[command(subcommand)]
    pub command: ParkedCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ParkedCommand {
    /// Lists what waits.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints one with all that is known of it.
    Show { id: String },
    /// Tries it again; then what has queued behind it.
    Retry { id: String },
    /// Gives it up; what has queued behind it is applied.
    Skip { id: String },
    /// Runs another statement in its place; then what has queued behind it.
    Edit {
        id: String,
        /// In the target's language, names as the target has them.
        #[arg(long, value_name = "STATEMENT")]
        sql: String,
    },
}

#[derive(Debug, Clone, Args)]
pub struct DdlArgs {
    #[command(subcommand)]
    pub command: DdlCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum DdlCommand {
    /// Prints the syntax tree of each statement, or the place of its error. Exit code 1 where one can't be read.
    Parse {
        /// Whose language the text is in.
        #[arg(long, value_enum, default_value = "mysql")]
        dialect: DialectName,
        /// Statements with semicolons between them; - is standard input.
        file: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnDdlError {
    Park,
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialectName {
    Mysql,
    Mariadb,
    Tidb,
    Oceanbase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    Schema,
    Full,
    Incr,
    Verify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplyMode {
    Transaction,
    Convergent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExistingMode {
    Stop,
    Ignore,
    Overwrite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForeignPolicy {
    Stop,
    Repair,
    Ignore,
}
