//! An assessment as one page: everything is in the file, nothing is loaded, nothing runs.
//!
//! Whatever comes from the servers is escaped. Grades are words first and colours second; every object is a section
//! that opens, those with work to do are open from the start.

use std::fmt::Write;

use whimbrel_connector::Severity;
use whimbrel_dbcat::{Effort, Loss};

use super::report::{Assessment, Change, ObjectReport, Risk, cost_words};
use super::text::checks_words;
use crate::display::count;

const STYLE: &str = include_str!("page.css");

pub(super) fn render(assessment: &Assessment) -> String {
    let mut out = String::new();
    let (source, target) = (escape(&assessment.source), escape(&assessment.target));
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Assessment: {source} to {target}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Migration assessment</h1>\n<p class=\"soft\">from <b>{source}</b> to <b>{target}</b></p>\n"
    );
    summary(assessment, &mut out);
    let _ = writeln!(out, "<h2>Objects</h2>");
    for object in &assessment.objects {
        section(object, &mut out);
    }
    accounts(assessment, &mut out);
    findings(assessment, &mut out);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn summary(assessment: &Assessment, out: &mut String) {
    let sum = &assessment.summary;
    out.push_str("<ul class=\"tiles\">\n");
    for (number, word) in [
        (assessment.objects.len() as u64, "objects"),
        (sum.moved, "moved as they are"),
        (sum.changed, "changed"),
        (sum.not_possible, "not possible as they stand"),
    ] {
        let _ = writeln!(out, "<li><b>{}</b> {word}</li>", count(number));
    }
    out.push_str(
        "</ul>\n<div class=\"scroll\"><table>\n<caption>Effort: the work that is left to people</caption>\n",
    );
    out.push_str("<thead><tr><th scope=\"col\">Grade</th><th scope=\"col\">Objects</th><th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n");
    for (effort, objects) in [
        (Effort::High, sum.effort_high),
        (Effort::Medium, sum.effort_medium),
        (Effort::Low, sum.effort_low),
        (Effort::None, sum.effort_none),
    ] {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td>{}</td></tr>",
            grade(effort),
            count(objects),
            escape(effort.meaning())
        );
    }
    let _ = writeln!(
        out,
        "</tbody></table></div>\n<p class=\"soft\">Data checks: {}.</p>",
        escape(&checks_words(assessment))
    );
}

fn section(object: &ObjectReport, out: &mut String) {
    let open = if object.effort >= Effort::Medium { " open" } else { "" };
    let arrow = if object.source == object.target {
        String::new()
    } else {
        format!(" &rarr; {}", escape(&object.target))
    };
    let size = if object.estimated_rows > 0 {
        format!("about {} rows", count(object.estimated_rows))
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "<details{open}>\n<summary><span class=\"name\">{}{arrow}</span><span class=\"soft\">{} {size}</span>\
         <span>{}</span>{}</summary>\n<div>",
        escape(&object.source),
        object.kind,
        object.verdict.words(),
        grade(object.effort)
    );
    changes(&object.changes, out);
    risks(&object.risks, out);
    let costs: Vec<String> = object.costs().map(cost_words).collect();
    if !costs.is_empty() {
        let _ = writeln!(out, "<p class=\"soft\">Read: {}.</p>", escape(&costs.join("; ")));
    }
    if object.changes.is_empty() && object.risks.is_empty() {
        out.push_str("<p>It will be the same at the target.</p>\n");
    }
    out.push_str("</div>\n</details>\n");
}

fn changes(changes: &[Change], out: &mut String) {
    if changes.is_empty() {
        return;
    }
    out.push_str(
        "<div class=\"scroll\"><table>\n<caption>What changes</caption>\n<thead><tr><th scope=\"col\">What</th>\
         <th scope=\"col\">Loss</th><th scope=\"col\">Effort</th><th scope=\"col\">Why, and what to do</th></tr></thead>\n\
         <tbody>\n",
    );
    for change in changes {
        let loss = match change.loss {
            Loss::None => "none",
            Loss::Behaviour => "behaviour",
            Loss::Data => "data",
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"><span class=\"name\">{}</span></th><td>{loss}</td><td>{}</td><td>{}{}</td></tr>",
            escape(&change.object),
            grade(change.effort),
            escape(&change.why),
            to_do(&change.to_do)
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn risks(risks: &[Risk], out: &mut String) {
    let (quiet, found): (Vec<&Risk>, Vec<&Risk>) = risks.iter().partition(|risk| risk.rows == Some(0));
    if !found.is_empty() {
        out.push_str(
            "<div class=\"scroll\"><table>\n<caption>Risks in the data</caption>\n<thead><tr><th scope=\"col\">What</th>\
             <th scope=\"col\">Rows</th><th scope=\"col\">Effort</th><th scope=\"col\">Why, and what to do</th></tr></thead>\n\
             <tbody>\n",
        );
        for risk in found {
            let rows = risk.rows.map_or_else(|| "not known".to_owned(), count);
            let samples: String = risk
                .samples
                .iter()
                .map(|sample| format!("<li><code>{}</code></li>", escape(sample)))
                .collect();
            let samples =
                if samples.is_empty() { samples } else { format!("<ul class=\"plain\">{samples}</ul>") };
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\"><span class=\"name\">{}</span><br><span class=\"soft\">{}</span></th>\
                 <td class=\"number\">{rows}</td><td>{}</td><td>{}{samples}{}<p class=\"soft\">{}</p></td></tr>",
                escape(&risk.object),
                risk.check,
                grade(risk.effort),
                escape(&risk.why),
                to_do(&risk.to_do),
                escape(&cost_words(&risk.cost))
            );
        }
        out.push_str("</tbody></table></div>\n");
    }
    if !quiet.is_empty() {
        let names: Vec<String> =
            quiet.iter().map(|risk| format!("{} ({})", risk.check, risk.object)).collect();
        let _ =
            writeln!(out, "<p class=\"soft\">Checks that found nothing: {}.</p>", escape(&names.join(", ")));
    }
}

fn accounts(assessment: &Assessment, out: &mut String) {
    if assessment.accounts.is_empty() && assessment.accounts_unread.is_none() {
        return;
    }
    out.push_str("<h2>Accounts</h2>\n<p class=\"soft\">They are not moved.</p>\n");
    if let Some(why) = &assessment.accounts_unread {
        let _ = writeln!(out, "<p>Not all could be read: {}</p>", escape(why));
    }
    for account in &assessment.accounts {
        let kind = if account.role { "role" } else { "user" };
        let locked = if account.locked { ", locked" } else { "" };
        let grants: String =
            account.grants.iter().map(|grant| format!("<li><code>{}</code></li>", escape(grant))).collect();
        let _ = writeln!(
            out,
            "<details>\n<summary><span class=\"name\">{}</span><span class=\"soft\">{kind}{locked} {}</span></summary>\n\
             <div><ul class=\"plain\">{grants}</ul></div>\n</details>",
            escape(&account.name),
            escape(&account.plugin)
        );
    }
}

fn findings(assessment: &Assessment, out: &mut String) {
    if assessment.findings.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Prechecks</h2>\n<div class=\"scroll\"><table>\n<caption>What both servers lack for a migration</caption>\n\
         <thead><tr><th scope=\"col\">What</th><th scope=\"col\">Weight</th><th scope=\"col\">Cause, and what to do</th></tr>\
         </thead>\n<tbody>\n",
    );
    for finding in &assessment.findings {
        let (word, class) = match finding.severity {
            Severity::Error => ("error", "high"),
            Severity::Warning => ("warning", "medium"),
            Severity::Info => ("note", "low"),
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"><span class=\"name\">{}</span><br><span class=\"soft\">{}</span></th>\
             <td><span class=\"grade {class}\">{word}</span></td><td>{}{}</td></tr>",
            escape(&finding.object),
            escape(&finding.code),
            escape(&finding.cause),
            to_do(&finding.hint)
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn grade(effort: Effort) -> String {
    format!("<span class=\"grade {0}\">{0}</span>", effort.word())
}

fn to_do(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("<p class=\"todo\"><b>To do:</b> {}</p>", escape(text))
}

/// Text as it stands in an element or a quoted attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in HTML, and of no use to people.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use whimbrel_model::TableName;

    use super::*;
    use crate::assess::report::{DataCheckLimits, Summary};
    use crate::cli::DataChecks;

    #[test]
    fn names_and_values_cannot_become_markup() {
        let evil = "<script>alert('x')</script>\u{0}";
        let name = TableName::new("d", evil);
        let mut object = ObjectReport::new("table", &name, &TableName::new("d", "plain"));
        object.changes.push(Change {
            rule: "override".into(),
            object: format!("{name}.\"c\""),
            loss: Loss::Data,
            effort: Effort::High,
            why: "a & b".into(),
            to_do: "</div>".into(),
        });
        object.grade();
        let objects = vec![object];
        let page = render(&Assessment {
            version: 1,
            source: evil.into(),
            target: "t".into(),
            data_checks: DataCheckLimits {
                mode: DataChecks::Off,
                rows: None,
                seconds: None,
                rows_read: 0,
                milliseconds: 0,
            },
            summary: Summary::of(&objects),
            objects,
            accounts: Vec::new(),
            accounts_unread: None,
            findings: Vec::new(),
        });
        assert!(!page.contains("<script") && !page.contains('\u{0}'), "{page}");
        assert!(
            page.contains("&lt;script&gt;") && page.contains("a &amp; b") && page.contains("&lt;/div&gt;")
        );
        assert_eq!(page.matches("<details open>").count(), 1);
        assert_eq!(page.matches("<details").count(), page.matches("</details>").count());
        assert_eq!(page.matches("<table").count(), page.matches("</table>").count());
    }
}
