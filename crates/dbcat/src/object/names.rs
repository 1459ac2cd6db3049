//! Other names in a text, where it is certain what a name means.
//!
//! What is certain without understanding the text:
//!
//! - `a.t.c` with a schema `a`: its table `t`, or an alias `t` (MySQL prints `a.alias.c` in views).
//! - `a.t`, where `a` stands nowhere in the text but in front of a dot: there is no alias, table or variable that is
//!   called `a`, so `a` is the schema, and `t` its table or routine.
//! - a name of its own, `t`: what the object's schema calls so, an alias, a column, a variable. So it is not changed; where
//!   the schema has something that is called so here and otherwise at the target, nobody can be sure.
//! - in a view, `` `f`( `` with a function `f` of the view's schema: that function, since servers print their own functions
//!   without quotes. It gets its schema, without which OceanBase looks for it in the reader's (1305).

use std::collections::BTreeSet;

use whimbrel_model::TableName;
use whimbrel_mysql_ddl::{Lexeme, LexemeKind};

use super::ObjectContext;
use super::text::Edit;
use crate::render::quoted_table;

/// `a.b.c`: places of the names in the text's lexemes, and what they say.
struct Chain {
    first: usize,
    names: Vec<String>,
    /// The word in front, in upper case, is AS.
    behind_as: bool,
    called: bool,
}

/// What the names in a text are about.
pub(super) struct Names<'a> {
    lexemes: &'a [Lexeme<'a>],
    chains: Vec<Chain>,
    /// Names that stand alone, in lower case, but for those behind AS.
    alone: BTreeSet<String>,
}

impl<'a> Names<'a> {
    pub(super) fn of(lexemes: &'a [Lexeme<'a>]) -> Self {
        let chains = chains(lexemes);
        let alone = chains.iter().filter(|chain| chain.names.len() == 1 && !chain.behind_as);
        let alone = alone.map(|chain| chain.names[0].to_lowercase()).collect();
        Self { lexemes, chains, alone }
    }

    /// Known things that the text seems to name: with their schema, or as belonging to `schema`.
    pub(super) fn mentioned(&self, context: &ObjectContext<'_>, schema: &str) -> BTreeSet<TableName> {
        let mut found = BTreeSet::new();
        for chain in &self.chains {
            if let [first, second, ..] = chain.names.as_slice() {
                found.extend(context.find(first, second).cloned());
            }
            found.extend(context.find(schema, &chain.names[0]).cloned());
        }
        found
    }

    /// The edits that give every name its form at the target. `own` and `own_target` are the schemas of the object that
    /// holds the text; `program`: names without a schema may be tables.
    ///
    /// # Errors
    /// Why it isn't certain.
    pub(super) fn renames(
        &self,
        context: &ObjectContext<'_>,
        own: &str,
        own_target: &str,
        program: bool,
    ) -> Result<Vec<Edit>, String> {
        let mut edits = Vec::new();
        if program {
            self.check_unqualified(context, own, own_target)?;
        } else {
            edits.extend(self.functions(context, own));
        }
        for chain in &self.chains {
            let [schema, name, rest @ ..] = chain.names.as_slice() else { continue };
            if !context.known.contains_key(&schema.to_lowercase()) {
                continue;
            }
            edits.extend(self.qualified(context, chain, (schema, name), !rest.is_empty())?);
        }
        self.check_qualifiers(context, &edits)?;
        Ok(edits)
    }

    fn qualified(
        &self,
        context: &ObjectContext<'_>,
        chain: &Chain,
        (schema, name): (&str, &str),
        column: bool,
    ) -> Result<Option<Edit>, String> {
        let known = context.find(schema, name);
        if column && known.is_none_or(|known| !self.names_relation(known)) && self.is_alone(name) {
            // An alias with the schema of its table in front; where that schema stays, so may this.
            return Ok(self.any_moves(context, schema).then(|| self.without_schema(chain)));
        }
        let Some(known) = known else { return Ok(None) };
        let target = context.renamed(known);
        if target == *known {
            return Ok(None);
        }
        if column && self.is_alone(name) {
            return Err(format!("{name} is a table and an alias in it"));
        }
        if !column && self.is_alone(schema) {
            return Err(format!(
                "{schema}.{name} may be {known}, which is {target} at the target, or something of an alias {schema}"
            ));
        }
        Ok(Some(self.with_names(chain, &target)))
    }

    /// Functions of a view's own schema.
    fn functions(&self, context: &ObjectContext<'_>, own: &str) -> Vec<Edit> {
        let functions = self.chains.iter().filter_map(|chain| {
            let quoted = self.lexemes[chain.first].kind == LexemeKind::QuotedName;
            let known = context.find_function(own, &chain.names[0])?;
            let edit = || self.edit(chain.first, chain.first, quoted_table(&context.renamed(known)));
            (chain.names.len() == 1 && chain.called && quoted).then(edit)
        });
        functions.collect()
    }

    /// Names without a schema whose thing has another name, or another schema than the object, at the target.
    fn check_unqualified(
        &self,
        context: &ObjectContext<'_>,
        own: &str,
        own_target: &str,
    ) -> Result<(), String> {
        for chain in &self.chains {
            if chain.names.len() > 2 {
                continue;
            }
            let name = &chain.names[0];
            let Some(known) = context.find(own, name) else { continue };
            let target = context.renamed(known);
            if target.schema != own_target || target.table != known.table {
                return Err(format!("it names {name}, which may be {known}; that is {target} at the target"));
            }
        }
        Ok(())
    }

    /// `t.c` of a table that is called otherwise at the target, and has no alias.
    fn check_qualifiers(&self, context: &ObjectContext<'_>, edits: &[Edit]) -> Result<(), String> {
        if edits.is_empty() {
            return Ok(());
        }
        let renamed: BTreeSet<String> = self
            .chains
            .iter()
            .filter_map(|chain| match chain.names.as_slice() {
                [schema, name, ..] => context.find(schema, name),
                _ => None,
            })
            .filter(|known| context.renamed(known).table != known.table)
            .map(|known| known.table.to_lowercase())
            .collect();
        for chain in &self.chains {
            let qualifier = chain.names[0].to_lowercase();
            if chain.names.len() == 2 && renamed.contains(&qualifier) && !self.is_alone(&qualifier) {
                return Err(format!("{qualifier} is a table that is called otherwise at the target"));
            }
        }
        Ok(())
    }

    fn is_alone(&self, name: &str) -> bool {
        self.alone.contains(&name.to_lowercase())
    }

    /// The thing stands with its schema in a place where a table stands.
    fn names_relation(&self, known: &TableName) -> bool {
        self.chains.iter().any(|chain| match chain.names.as_slice() {
            [schema, name] => {
                schema.eq_ignore_ascii_case(&known.schema) && name.eq_ignore_ascii_case(&known.table)
            }
            _ => false,
        })
    }

    /// Something of this schema that the text names has another name at the target.
    fn any_moves(&self, context: &ObjectContext<'_>, schema: &str) -> bool {
        self.chains.iter().any(|chain| match chain.names.as_slice() {
            [first, name, ..] if first.eq_ignore_ascii_case(schema) => {
                context.find(first, name).is_some_and(|known| context.renamed(known) != *known)
            }
            _ => false,
        })
    }

    fn with_names(&self, chain: &Chain, target: &TableName) -> Edit {
        self.edit(chain.first, chain.first + 2, quoted_table(target))
    }

    fn without_schema(&self, chain: &Chain) -> Edit {
        self.edit(chain.first, chain.first + 1, String::new())
    }

    fn edit(&self, first: usize, last: usize, text: String) -> Edit {
        let span = self.lexemes[first].span.to(self.lexemes[last].span);
        Edit { span, text }
    }
}

fn chains(lexemes: &[Lexeme<'_>]) -> Vec<Chain> {
    let mut chains = Vec::new();
    let mut at = 0;
    while let Some(lexeme) = lexemes.get(at) {
        let before = at.checked_sub(1).and_then(|before| lexemes.get(before));
        let starts = before.is_none_or(|before| !matches!(before.kind, LexemeKind::Dot | LexemeKind::At));
        let Some(name) = lexeme.name().filter(|_| starts) else {
            at += 1;
            continue;
        };
        let first = at;
        let mut names = vec![name.into_owned()];
        while let (Some(dot), Some(next)) = (lexemes.get(at + 1), lexemes.get(at + 2))
            && dot.kind == LexemeKind::Dot
            && let Some(name) = next.name()
        {
            names.push(name.into_owned());
            at += 2;
        }
        at += 1;
        let called = lexemes.get(at).is_some_and(|next| next.kind == LexemeKind::Open);
        chains.push(Chain { first, names, behind_as: before.is_some_and(|word| word.is_word("AS")), called });
    }
    chains
}
