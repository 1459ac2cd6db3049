//! The order in which objects can be created.

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_model::TableName;
use whimbrel_model::object::{Definition, ObjectKind, SchemaObject};
use whimbrel_mysql_ddl::lexemes;

use super::ObjectContext;
use super::names::Names;

/// By kind, and within a kind behind what an object mentions. Objects that mention each other (routines may) keep the
/// order in which they came.
pub(super) fn by_dependency<'o>(
    objects: &'o [SchemaObject],
    context: &ObjectContext<'_>,
) -> Vec<&'o SchemaObject> {
    let mut ordered: Vec<&SchemaObject> = objects.iter().collect();
    ordered.sort_by_key(|object| object.kind());
    let mut places: BTreeMap<(ObjectKind, &TableName), usize> = BTreeMap::new();
    for (at, object) in ordered.iter().enumerate() {
        places.insert((object.kind(), &object.name), at);
    }
    let needs: Vec<BTreeSet<usize>> = ordered.iter().map(|object| needs(object, context, &places)).collect();
    let mut out = Vec::with_capacity(ordered.len());
    let mut state = vec![Visit::Not; ordered.len()];
    for at in 0..ordered.len() {
        visit(at, &needs, &mut state, &mut out);
    }
    out.into_iter().map(|at| ordered[at]).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Not,
    Open,
    Done,
}

/// Depth first with a stack of its own: views may stand on each other as deep as they like.
fn visit(from: usize, needs: &[BTreeSet<usize>], state: &mut [Visit], out: &mut Vec<usize>) {
    let mut stack = vec![from];
    while let Some(at) = stack.last().copied() {
        match state[at] {
            Visit::Done => {
                stack.pop();
            }
            Visit::Open => {
                state[at] = Visit::Done;
                out.push(at);
                stack.pop();
            }
            Visit::Not => {
                state[at] = Visit::Open;
                stack.extend(needs[at].iter().rev().filter(|need| state[**need] == Visit::Not));
            }
        }
    }
}

/// Places of views and routines that the object mentions.
fn needs(
    object: &SchemaObject,
    context: &ObjectContext<'_>,
    places: &BTreeMap<(ObjectKind, &TableName), usize>,
) -> BTreeSet<usize> {
    let text = match &object.definition {
        Definition::View(view) => &view.query,
        Definition::Routine(routine) => &routine.body,
        _ => return BTreeSet::new(),
    };
    // What can't be read isn't created either.
    let Ok(words) = lexemes(text, &context.options(&object.session)) else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for name in Names::of(&words).mentioned(context, &object.name.schema) {
        for kind in [ObjectKind::View, ObjectKind::Function, ObjectKind::Procedure] {
            found.extend(places.get(&(kind, &name)).copied());
        }
    }
    if let Some(own) = places.get(&(object.kind(), &object.name)) {
        found.remove(own);
    }
    found
}
