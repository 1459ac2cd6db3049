//! Views, triggers, routines, events and sequences in the target's words.
//!
//! ```text
//! let catalogue = source_catalog.objects(&schemas).await?;
//! let accounts = target_catalog.accounts().await?;
//! let context = ObjectContext::new(&profile, options, &rename, &tables, &catalogue.objects).with_accounts(&accounts.accounts);
//! for converted in convert_objects(&catalogue.objects, &context) { ... }      // in the order of creation
//! ```
//!
//! A statement is the source's own text with a head made anew. Within the text only this is changed: names of what is
//! called differently at the target, where the words leave no doubt about what a name means (`names.rs`); collations,
//! charsets and introducers that the target doesn't know. Where there is doubt the object is left out, with the
//! reason. Whether the target takes the rest is for the target to say.

mod names;
mod order;
mod program;
mod sequence;
mod text;
mod view;

pub(crate) use sequence::default_of_sequence;

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_model::TableName;
use whimbrel_model::object::{Account, AccountName, Definition, ObjectKind, ObjectSession, SchemaObject};
use whimbrel_mysql_ddl::{ParseOptions, SqlMode};

use crate::profile::TargetProfile;
use crate::render::{quoted, quoted_table, string};
use crate::{Loss, Note, rules};

/// What conversion of objects depends on.
pub struct ObjectContext<'a> {
    target: &'a TargetProfile,
    options: ParseOptions,
    rename: &'a dyn Fn(&TableName) -> TableName,
    /// Everything of the source that has a name, by schema and name in lower case.
    known: BTreeMap<String, BTreeMap<String, TableName>>,
    /// Functions among these, spelled as the source spells them.
    functions: BTreeSet<TableName>,
    /// `None`: nobody knows which accounts the target has.
    accounts: Option<BTreeSet<&'a AccountName>>,
}

impl<'a> ObjectContext<'a> {
    /// `source` is the source's language. `rename` gives the names at the target, of tables and of everything else.
    /// `tables` and `objects` are all that the source's schemas hold, also what doesn't move: what isn't among them is
    /// not taken for a name of the source.
    pub fn new<'t>(
        target: &'a TargetProfile,
        source: ParseOptions,
        rename: &'a dyn Fn(&TableName) -> TableName,
        tables: impl IntoIterator<Item = &'t TableName>,
        objects: impl IntoIterator<Item = &'t SchemaObject>,
    ) -> Self {
        let mut known: BTreeMap<String, BTreeMap<String, TableName>> = BTreeMap::new();
        let mut functions = BTreeSet::new();
        let objects = objects.into_iter().map(|object| {
            if object.kind() == ObjectKind::Function {
                functions.insert(object.name.clone());
            }
            &object.name
        });
        for name in tables.into_iter().chain(objects) {
            let schema = known.entry(name.schema.to_lowercase()).or_default();
            schema.insert(name.table.to_lowercase(), name.clone());
        }
        Self { target, options: source, rename, known, functions, accounts: None }
    }

    /// The target's accounts. Without them every definer is left out.
    #[must_use]
    pub fn with_accounts(mut self, accounts: &'a [Account]) -> Self {
        self.accounts = Some(accounts.iter().map(|account| &account.name).collect());
        self
    }

    /// The source's language in the session that made the object.
    fn options(&self, session: &ObjectSession) -> ParseOptions {
        let modes = session.sql_mode.as_deref().unwrap_or_default();
        let has = |mode: &str| modes.split(',').any(|found| found.trim().eq_ignore_ascii_case(mode));
        let sql_mode = SqlMode {
            ansi_quotes: has("ANSI_QUOTES"),
            no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
            real_as_float: has("REAL_AS_FLOAT"),
        };
        ParseOptions { sql_mode, ..self.options }
    }

    /// The known thing of this name, spelled as the source spells it.
    fn find(&self, schema: &str, name: &str) -> Option<&TableName> {
        self.known.get(&schema.to_lowercase())?.get(&name.to_lowercase())
    }

    /// The function of this name; names of functions compare without regard to case.
    fn find_function(&self, schema: &str, name: &str) -> Option<&TableName> {
        self.functions.iter().find(|function| {
            function.schema == schema && function.table.to_lowercase() == name.to_lowercase()
        })
    }

    fn renamed(&self, name: &TableName) -> TableName {
        (self.rename)(name)
    }
}

/// An object at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertedObject {
    pub kind: ObjectKind,
    pub source: TableName,
    pub target: TableName,
    /// How to make it, or why that can't be.
    pub outcome: Result<ObjectDdl, String>,
    pub notes: Vec<Note>,
}

impl ConvertedObject {
    /// The same object, in other words at most.
    pub fn is_unchanged(&self) -> bool {
        self.notes.iter().all(|note| note.loss == Loss::None)
    }
}

/// The statement that makes an object, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDdl {
    /// SET statements that must have been run in the session before, and hold for this statement only.
    pub settings: Vec<String>,
    /// `CREATE`, or `CREATE ALGORITHM=MERGE`.
    create: String,
    /// An account of the target: the object works with its rights. `None`: with those of whoever runs the statement.
    pub definer: Option<AccountName>,
    /// `VIEW`, `TRIGGER`, ... with what stands before it.
    word: String,
    drop_word: String,
    pub name: TableName,
    /// Between the name and the table.
    head: String,
    /// A trigger's table.
    pub table: Option<TableName>,
    /// An event is switched on.
    pub enabled: Option<bool>,
    tail: String,
    /// Brings a sequence to its value; run behind the statement, and again when the source's has moved.
    pub advance: Option<String>,
}

impl ObjectDdl {
    /// `CREATE WORD name`, and nothing more.
    fn new(word: &str, name: TableName) -> Self {
        Self {
            settings: Vec::new(),
            create: "CREATE".to_owned(),
            definer: None,
            word: word.to_owned(),
            drop_word: word.to_owned(),
            name,
            head: String::new(),
            table: None,
            enabled: None,
            tail: String::new(),
            advance: None,
        }
    }

    pub fn sql(&self) -> String {
        let mut parts = vec![self.create.clone()];
        if let Some(definer) = &self.definer {
            parts.push(format!("DEFINER={}@{}", quoted(&definer.user), quoted(&definer.host)));
        }
        parts.push(self.word.clone());
        parts.push(format!("{}{}", quoted_table(&self.name), self.head));
        parts.extend(self.table.as_ref().map(quoted_table));
        parts.extend(self.enabled.map(|on| if on { "ENABLE" } else { "DISABLE" }.to_owned()));
        parts.push(self.tail.clone());
        parts.retain(|part| !part.is_empty());
        parts.join(" ")
    }

    /// Takes the object away, where it is.
    pub fn drop_sql(&self) -> String {
        format!("DROP {} IF EXISTS {}", self.drop_word, quoted_table(&self.name))
    }

    /// The same object in another schema, where it can be tried: a trigger on the table of its table's name there, an
    /// event switched off. What the text itself names stays.
    #[must_use]
    pub fn in_schema(&self, schema: &str) -> Self {
        let mut copy = self.clone();
        copy.name.schema = schema.to_owned();
        if let Some(table) = &mut copy.table {
            table.schema = schema.to_owned();
        }
        copy.enabled = copy.enabled.map(|_| false);
        copy
    }

    /// With the rights of whoever runs the statement.
    #[must_use]
    pub fn without_definer(&self) -> Self {
        Self { definer: None, ..self.clone() }
    }
}

/// One object in the making.
struct Conversion<'a> {
    context: &'a ObjectContext<'a>,
    object: &'a SchemaObject,
    target: TableName,
    notes: Vec<Note>,
}

/// Why an object can't be made.
type Refusal = String;

/// Converts objects; the result stands in the order in which they can be created: sequences, routines, views behind what
/// they read, triggers in the order in which they fire, events.
pub fn convert_objects(objects: &[SchemaObject], context: &ObjectContext<'_>) -> Vec<ConvertedObject> {
    let ordered = order::by_dependency(objects, context);
    ordered.into_iter().map(|object| convert_object(object, context)).collect()
}

/// Converts one object.
pub fn convert_object(object: &SchemaObject, context: &ObjectContext<'_>) -> ConvertedObject {
    let target = match &object.definition {
        // A trigger lives in its table's schema.
        Definition::Trigger(trigger) => {
            TableName::new(context.renamed(&trigger.table).schema, object.name.table.clone())
        }
        _ => context.renamed(&object.name),
    };
    let mut conversion = Conversion { context, object, target: target.clone(), notes: Vec::new() };
    let outcome = match &object.definition {
        Definition::View(view) => conversion.view(view),
        Definition::Trigger(trigger) => conversion.trigger(trigger),
        Definition::Routine(routine) => conversion.routine(routine),
        Definition::Event(event) => conversion.event(event),
        Definition::Sequence(sequence) => Ok(conversion.sequence(sequence)),
    };
    ConvertedObject {
        kind: object.kind(),
        source: object.name.clone(),
        target,
        outcome,
        notes: conversion.notes,
    }
}

impl Conversion<'_> {
    fn note(&mut self, loss: Loss, text: impl Into<String>) {
        let object = format!("{} {}", self.object.kind(), self.object.name);
        self.notes.push(Note { loss, ..rules::OBJECT_TEXT.note(object, text) });
    }

    /// The definer, where the target has such an account. `matters`: the object works with the definer's rights.
    fn definer(&mut self, matters: bool) -> Option<AccountName> {
        let definer = self.object.definer.as_ref()?;
        let there = self.context.accounts.as_ref().map(|accounts| accounts.contains(definer));
        if there == Some(true) {
            return Some(definer.clone());
        }
        let loss = if matters { Loss::Behaviour } else { Loss::None };
        let why = match there {
            Some(_) => "the target has no such account",
            None => "whether the target has such an account is not known",
        };
        let rights = if matters { ", with whose rights it then works" } else { "" };
        self.note(
            loss,
            format!("definer {definer} is left out ({why}): it belongs to the account that makes it{rights}"),
        );
        None
    }

    /// A string for the session of `settings`.
    fn string(&self, text: &str, options: &ParseOptions) -> String {
        if options.sql_mode.no_backslash_escapes {
            return format!("'{}'", text.replace('\'', "''"));
        }
        string(text)
    }

    fn comment(&self, options: &ParseOptions) -> String {
        if self.object.comment.is_empty() {
            return String::new();
        }
        format!("COMMENT {}", self.string(&self.object.comment, options))
    }
}

#[cfg(test)]
mod tests;
