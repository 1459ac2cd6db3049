//! Views.

use whimbrel_model::object::{Security, View};

use super::{Conversion, ObjectDdl, Refusal};
use crate::Loss;
use crate::render::quoted;

impl Conversion<'_> {
    pub(super) fn view(&mut self, view: &View) -> Result<ObjectDdl, Refusal> {
        let options = self.context.options(&self.object.session);
        let query = self.text(&view.query, &options, false)?;
        let oceanbase = self.context.target.is_oceanbase();
        let mut create = "CREATE".to_owned();
        let mut word = "VIEW".to_owned();
        let mut definer = None;
        if oceanbase {
            // It keeps neither definer nor algorithm, and doesn't know INVOKER (1064).
            if view.security == Security::Invoker {
                self.note(
                    Loss::Behaviour,
                    "the target knows no SQL SECURITY INVOKER: who may read the view needs no rights on its tables",
                );
            } else if let Some(owner) = &self.object.definer {
                let text = format!("definer {owner} is left out: the target keeps none for views");
                self.note(Loss::None, text);
            }
            if let Some(algorithm) = &view.algorithm {
                self.note(
                    Loss::None,
                    format!("ALGORITHM={algorithm} is left out: the target chooses for itself"),
                );
            }
        } else {
            definer = self.definer(view.security == Security::Definer);
            if let Some(algorithm) = &view.algorithm {
                create = format!("CREATE ALGORITHM={algorithm}");
            }
            let security = if view.security == Security::Invoker { "INVOKER" } else { "DEFINER" };
            word = format!("SQL SECURITY {security} VIEW");
        }
        let columns: Vec<String> = view.columns.iter().map(|column| quoted(column)).collect();
        let head = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let check = view.check_option.as_deref().map(|kind| format!(" WITH {kind} CHECK OPTION"));
        Ok(ObjectDdl {
            settings: self.literals_compare_by(),
            create,
            definer,
            word,
            head,
            tail: format!("AS {query}{}", check.unwrap_or_default()),
            ..ObjectDdl::new("VIEW", self.target.clone())
        })
    }
}
