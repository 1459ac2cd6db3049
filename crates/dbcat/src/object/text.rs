//! Changes within a text: names, and the words for charsets and collations that the target doesn't know.

use std::collections::BTreeSet;

use whimbrel_model::Charset;
use whimbrel_mysql_ddl::ast::Span;
use whimbrel_mysql_ddl::{Lexeme, LexemeKind, ParseOptions, lexemes};

use super::names::Names;
use super::{Conversion, Refusal};
use crate::profile::TargetProfile;
use crate::{Loss, collation};

/// A piece of a text, and what stands there instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub span: Span,
    pub text: String,
}

/// Introducers that OceanBase doesn't take for a column's name.
const KNOWN_INTRODUCERS: [&str; 4] = ["_utf8mb4", "_utf8", "_utf8mb3", "_binary"];

impl Conversion<'_> {
    /// A text in the target's words. `program`: a body as its author wrote it, not a view's text.
    pub(super) fn text(
        &mut self,
        text: &str,
        options: &ParseOptions,
        program: bool,
    ) -> Result<String, Refusal> {
        let words = lexemes(text, options).map_err(|error| format!("its text can't be read: {error}"))?;
        let names = Names::of(&words);
        let (own, own_target) = (&self.object.name.schema, &self.target.schema);
        let mut edits = names.renames(self.context, own, own_target, program)?;
        if program {
            self.check_statements_made_at_run_time(&words)?;
        }
        let mut losses = BTreeSet::new();
        charsets(&words, self.context.target, &mut edits, &mut losses);
        for (loss, note) in losses {
            self.note(loss, note);
        }
        Ok(apply(text, edits))
    }

    /// Statements out of strings may name anything.
    fn check_statements_made_at_run_time(&mut self, words: &[Lexeme<'_>]) -> Result<(), Refusal> {
        let dynamic = words.iter().any(|word| word.is_word("PREPARE") || word.is_word("EXECUTE"));
        if !dynamic {
            return Ok(());
        }
        let context = self.context;
        let moved = context
            .known
            .values()
            .flat_map(|names| names.values())
            .filter(|name| context.renamed(name) != **name);
        let moved: BTreeSet<&str> =
            moved.flat_map(|name| [name.schema.as_str(), name.table.as_str()]).collect();
        if moved.is_empty() {
            return Ok(());
        }
        let literals = words.iter().filter(|word| word.kind == LexemeKind::Literal);
        for literal in literals {
            let part = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
            let named = literal
                .text
                .split(part)
                .find(|word| moved.iter().any(|name| name.eq_ignore_ascii_case(word)));
            if let Some(name) = named {
                return Err(format!(
                    "it makes statements at run time, and a text in it holds the word {name}, which is called otherwise \
                     at the target"
                ));
            }
        }
        self.note(Loss::Behaviour, "it makes statements at run time; names in these are not changed");
        Ok(())
    }
}

/// Puts the edits, which don't overlap, into the text.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.span.start);
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for edit in edits {
        out.push_str(text.get(kept..edit.span.start as usize).unwrap_or_default());
        out.push_str(&edit.text);
        kept = edit.span.end as usize;
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    out
}

/// `COLLATE x`, `CHARSET x`, `CHARACTER SET x` and introducers.
fn charsets(
    words: &[Lexeme<'_>],
    target: &TargetProfile,
    edits: &mut Vec<Edit>,
    losses: &mut BTreeSet<(Loss, String)>,
) {
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1);
        if word.is_word("COLLATE") {
            if let Some((next, name)) = next.and_then(|next| Some((next, next.name()?.to_lowercase())))
                && let Some(charset) = Charset::of_collation(&name)
                && !target.has_collation(&name)
            {
                let mapped =
                    collation::map(target, (charset, &name), collation::Use::default(), "", &mut Vec::new());
                let loss = if same_rules(&name, &mapped.collation) { Loss::None } else { Loss::Behaviour };
                losses.insert((
                    loss,
                    format!("the target has no collation {name}: {} instead", mapped.collation),
                ));
                edits.push(Edit { span: next.span, text: mapped.collation });
            }
        } else if word.is_word("CHARSET")
            || (word.is_word("SET") && at > 0 && words[at - 1].is_word("CHARACTER"))
        {
            if let Some((next, name)) = next.and_then(|next| Some((next, next.name()?.to_lowercase())))
                && name != "binary"
                && !target.has_charset(&name)
            {
                losses.insert((
                    Loss::Behaviour,
                    format!("text in charset {name} becomes utf8mb4: the target lacks it"),
                ));
                edits.push(Edit { span: next.span, text: "utf8mb4".to_owned() });
            }
        } else if target.is_oceanbase()
            && word.kind == LexemeKind::Word
            && word.text.starts_with('_')
            && next.is_some_and(|next| next.kind == LexemeKind::Literal)
            && !KNOWN_INTRODUCERS.contains(&word.text.to_lowercase().as_str())
        {
            edits.push(Edit { span: word.span, text: String::new() });
        }
    }
}

/// `latin1_bin` and `utf8mb4_bin`.
fn same_rules(left: &str, right: &str) -> bool {
    let rules = |name: &str| name.split_once('_').map(|(_, rules)| rules.to_owned());
    rules(left) == rules(right)
}
