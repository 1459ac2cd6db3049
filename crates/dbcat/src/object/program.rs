//! Triggers, routines, events: bodies in SQL.

use whimbrel_connector::Flavor;
use whimbrel_model::object::{Event, ObjectKind, Routine, Schedule, Security, Trigger};
use whimbrel_mysql_ddl::ParseOptions;

use super::{Conversion, ObjectDdl, Refusal};
use crate::Loss;
use crate::render::string;

/// Modes that all three families know.
const SHARED_MODES: [&str; 20] = [
    "ALLOW_INVALID_DATES",
    "ANSI",
    "ANSI_QUOTES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "HIGH_NOT_PRECEDENCE",
    "IGNORE_SPACE",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "NO_DIR_IN_CREATE",
    "NO_ENGINE_SUBSTITUTION",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",
    "ONLY_FULL_GROUP_BY",
    "PAD_CHAR_TO_FULL_LENGTH",
    "PIPES_AS_CONCAT",
    "REAL_AS_FLOAT",
    "STRICT_ALL_TABLES",
    "STRICT_TRANS_TABLES",
    "TRADITIONAL",
];

/// Modes of one family that change what a body does.
const OWN_MODES: [(&str, Flavor); 4] = [
    ("EMPTY_STRING_IS_NULL", Flavor::MariaDb),
    ("SIMULTANEOUS_ASSIGNMENT", Flavor::MariaDb),
    ("TIME_ROUND_FRACTIONAL", Flavor::MariaDb),
    ("TIME_TRUNCATE_FRACTIONAL", Flavor::Mysql),
];

impl Conversion<'_> {
    pub(super) fn trigger(&mut self, trigger: &Trigger) -> Result<ObjectDdl, Refusal> {
        let (options, settings) = self.program_session()?;
        let body = self.text(&trigger.body, &options, true)?;
        Ok(ObjectDdl {
            settings,
            definer: self.definer(true),
            head: format!(" {} {} ON", trigger.timing, trigger.event),
            table: Some(self.context.renamed(&trigger.table)),
            tail: format!("FOR EACH ROW {body}"),
            ..ObjectDdl::new("TRIGGER", self.target.clone())
        })
    }

    pub(super) fn routine(&mut self, routine: &Routine) -> Result<ObjectDdl, Refusal> {
        let word = match routine.kind {
            ObjectKind::Function => "FUNCTION",
            ObjectKind::Procedure => "PROCEDURE",
            kind => return Err(format!("a {kind} is not converted")),
        };
        if let Some(language) = &routine.language {
            return Err(format!("its body is in {language}, not in SQL"));
        }
        let (options, settings) = self.program_session()?;
        let mut tail = format!("({})", routine.parameters);
        if let Some(returns) = &routine.returns {
            tail.push_str(&format!(" RETURNS {returns}"));
        }
        if routine.deterministic {
            tail.push_str("\n    DETERMINISTIC");
        }
        if routine.data_access != "CONTAINS SQL" {
            tail.push_str(&format!("\n    {}", routine.data_access));
        }
        if routine.security == Security::Invoker {
            tail.push_str("\n    SQL SECURITY INVOKER");
        }
        let comment = self.comment(&options);
        if !comment.is_empty() {
            tail.push_str(&format!("\n    {comment}"));
        }
        tail.push_str(&format!("\n{}", routine.body));
        let tail = self.text(&tail, &options, true)?;
        let aggregate = if routine.aggregate { "AGGREGATE " } else { "" };
        Ok(ObjectDdl {
            settings,
            definer: self.definer(routine.security == Security::Definer),
            word: format!("{aggregate}{word}"),
            tail,
            ..ObjectDdl::new(word, self.target.clone())
        })
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<ObjectDdl, Refusal> {
        let (options, mut settings) = self.program_session()?;
        if let Some(zone) = &self.object.session.time_zone {
            let system = zone.eq_ignore_ascii_case("SYSTEM");
            // OceanBase has no such zone (1298).
            if !(system && self.context.target.is_oceanbase()) {
                settings.push(format!("SET time_zone = {}", string(zone)));
            }
            if system {
                self.note(
                    Loss::Behaviour,
                    "its times are in the zone of the server's machine: the target's, from then on",
                );
            }
        }
        let body = self.text(&event.body, &options, true)?;
        let schedule = match &event.schedule {
            Schedule::At(time) => format!("AT {}", string(time)),
            Schedule::Every { value, unit, starts, ends } => {
                let bound = |word: &str, time: &Option<String>| {
                    time.as_ref().map(|time| format!(" {word} {}", string(time))).unwrap_or_default()
                };
                format!("EVERY {value} {unit}{}{}", bound("STARTS", starts), bound("ENDS", ends))
            }
        };
        let preserve = if event.preserve { "PRESERVE" } else { "NOT PRESERVE" };
        let comment = self.comment(&options);
        let gap = if comment.is_empty() { "" } else { " " };
        Ok(ObjectDdl {
            settings,
            definer: self.definer(true),
            head: format!(" ON SCHEDULE {schedule} ON COMPLETION {preserve}"),
            enabled: Some(event.enabled),
            tail: format!("{comment}{gap}DO {body}"),
            ..ObjectDdl::new("EVENT", self.target.clone())
        })
    }

    /// The language of the body, and the statements that put a session of the target into it.
    fn program_session(&mut self) -> Result<(ParseOptions, Vec<String>), Refusal> {
        let options = self.context.options(&self.object.session);
        let flavor = self.context.target.flavor;
        let from_mariadb = options.dialect.family == whimbrel_mysql_ddl::Family::MariaDb;
        let modes = self.object.session.sql_mode.clone().unwrap_or_default();
        let mut kept = Vec::new();
        for mode in modes.split(',').map(str::trim).filter(|mode| !mode.is_empty()) {
            let upper = mode.to_uppercase();
            if upper == "ORACLE" && from_mariadb {
                if flavor != Flavor::MariaDb {
                    return Err("it is written in MariaDB's Oracle mode".to_owned());
                }
                kept.push(upper);
            } else if SHARED_MODES.contains(&upper.as_str()) {
                kept.push(upper);
            } else if let Some((_, of)) = OWN_MODES.iter().find(|(name, _)| *name == upper) {
                if *of == flavor {
                    kept.push(upper);
                } else {
                    self.note(
                        Loss::Behaviour,
                        format!("it was made in sql_mode {upper}, which the target lacks"),
                    );
                }
            }
            // The others are shorthands whose parts stand beside them, or say nothing about bodies.
        }
        let mut settings = vec![format!("SET sql_mode = '{}'", kept.join(","))];
        settings.extend(self.literals_compare_by());
        Ok((options, settings))
    }

    /// The session's collation for text literals, where the target has it.
    pub(super) fn literals_compare_by(&self) -> Vec<String> {
        let collation = self.object.session.collation_connection.as_deref();
        let known = collation.filter(|name| self.context.target.has_collation(&name.to_lowercase()));
        known.map(|name| format!("SET collation_connection = {}", string(name))).into_iter().collect()
    }
}
