//! Schemas (databases) and their defaults.

use whimbrel_model::Charset;

use crate::collation;
use crate::profile::TargetProfile;
use crate::render::quoted;

/// The statement that makes a schema with the source's default collation, or the closest one that the target has: what is
/// created there later without naming a collation, and the variables of routines, get it.
pub fn create_schema(name: &str, collation: Option<&str>, target: &TargetProfile) -> String {
    let create = format!("CREATE DATABASE IF NOT EXISTS {}", quoted(name));
    let known = collation.and_then(|collation| Some((Charset::of_collation(collation)?, collation)));
    // A schema of binary text is nothing that OceanBase makes.
    let Some((charset, collation)) = known.filter(|(charset, _)| *charset != Charset::Binary) else {
        return create;
    };
    let mapped = collation::map(target, (charset, collation), collation::Use::default(), "", &mut Vec::new());
    let charset = mapped.collation.split('_').next().unwrap_or_default();
    format!("{create} DEFAULT CHARACTER SET {charset} COLLATE {}", mapped.collation)
}
