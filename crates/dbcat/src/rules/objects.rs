//! Rules of views, triggers, routines, events, sequences and accounts. What becomes of a single object's text, its
//! conversion says (`object/`); these rows say what is to be expected.

use super::{ANY, Aspect, Effort, MARIADB, NOT_MARIADB, NOT_OCEANBASE, OCEANBASE, Rule};
use crate::Loss;

pub(super) static RULES: &[&Rule] =
    &[&OBJECT_TEXT, &OBJECT_REFUSED, &DEFINER, &VIEW_INVOKER, &EVENTS, &SEQUENCES, &PACKAGES, &ACCOUNTS];

pub(crate) static OBJECT_TEXT: Rule = Rule {
    id: "object-text",
    aspect: Aspect::Object,
    sources: ANY,
    targets: ANY,
    from: "a view, trigger, routine or event",
    when: "its text names what is called differently at the target, or uses what the target lacks",
    to: "the same text with other names, collations and charsets",
    loss: Loss::Behaviour,
    effort: Effort::Low,
    why: "the text stays the source's own but for what has to change; the target says whether it takes it",
    to_do: "run the application's tests against the target",
    holds: |_| true,
};

static OBJECT_REFUSED: Rule = Rule {
    id: "object-refused",
    aspect: Aspect::Object,
    sources: ANY,
    targets: ANY,
    from: "an object whose text leaves doubt about what a name means, or that isn't SQL",
    when: "always",
    to: "nothing: the object is left out",
    loss: Loss::Data,
    effort: Effort::High,
    why: "nothing is guessed; the reason stands with the object",
    to_do: "write the object anew for the target",
    holds: |_| true,
};

static DEFINER: Rule = Rule {
    id: "definer-left-out",
    aspect: Aspect::Object,
    sources: ANY,
    targets: ANY,
    from: "DEFINER=account",
    when: "the target has no such account",
    to: "the account that makes the object",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "objects with the definer's rights then work with those of another account",
    to_do: "create the accounts at the target first",
    holds: |_| true,
};

static VIEW_INVOKER: Rule = Rule {
    id: "view-invoker",
    aspect: Aspect::Object,
    sources: NOT_OCEANBASE,
    targets: OCEANBASE,
    from: "a view with SQL SECURITY INVOKER",
    when: "the target is OceanBase",
    to: "a view without it",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "the target knows no SQL SECURITY INVOKER (1064): who may read the view needs no rights on its tables",
    to_do: "grant the view only to those who may read its tables",
    holds: |target| target.is_oceanbase(),
};

static EVENTS: Rule = Rule {
    id: "events-left-out",
    aspect: Aspect::Object,
    sources: NOT_OCEANBASE,
    targets: OCEANBASE,
    from: "an event",
    when: "the target has no events",
    to: "nothing: the object is left out",
    loss: Loss::Data,
    effort: Effort::High,
    why: "the target refuses CREATE EVENT (1064)",
    to_do: "run the event's statement from a scheduler outside of the database",
    holds: |target| target.is_oceanbase(),
};

pub(crate) static SEQUENCES: Rule = Rule {
    id: "sequences-left-out",
    aspect: Aspect::Object,
    sources: MARIADB,
    targets: NOT_MARIADB,
    from: "a sequence, and a DEFAULT that asks one",
    when: "the target has no sequences",
    to: "nothing: the object is left out",
    loss: Loss::Data,
    effort: Effort::High,
    why: "the target refuses CREATE SEQUENCE (1064)",
    to_do: "use an AUTO_INCREMENT column, or a table of counters",
    holds: |target| target.flavor != whimbrel_connector::Flavor::MariaDb,
};

static PACKAGES: Rule = Rule {
    id: "packages-left-out",
    aspect: Aspect::Object,
    sources: MARIADB,
    targets: ANY,
    from: "packages and bodies in MariaDB's Oracle mode",
    when: "always (bodies in Oracle mode: the target is not MariaDB)",
    to: "nothing: the object is left out",
    loss: Loss::Data,
    effort: Effort::High,
    why: "packages are not converted, and no other server reads the language of the Oracle mode",
    to_do: "write the routines anew",
    holds: |_| true,
};

static ACCOUNTS: Rule = Rule {
    id: "accounts-reported",
    aspect: Aspect::Object,
    sources: ANY,
    targets: ANY,
    from: "users and roles",
    when: "always",
    to: "a list in the report of whimbrel assess",
    loss: Loss::Data,
    effort: Effort::Medium,
    why: "accounts are not moved: passwords can't be, and privileges are the administrator's decision",
    to_do: "create the accounts at the target, with passwords of their own",
    holds: |_| true,
};
