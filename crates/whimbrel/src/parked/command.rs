//! `whimbrel parked list | show | retry | skip | edit`.

use std::path::Path;
use std::time::{Duration, Instant};

use whimbrel_connector::{ConnectorError, ErrorKind};

use super::{Answer, Item, Request, control, offline};
use crate::cli::{ParkedArgs, ParkedCommand};
use crate::endpoints::{self, Role};
use crate::failure::{Exit, Failure};
use crate::home::{TaskHome, task_dir};

/// How long a process that holds the lock may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// Longest text of a statement or reason in a list, in characters.
const EXCERPT: usize = 100;

/// Runs the command.
///
/// # Errors
/// No such task, or no such ID; what the task or the target says.
pub async fn run(args: ParkedArgs) -> Result<Exit, Failure> {
    let dir = task_dir(args.home.as_deref(), &args.name)?;
    let request = match args.command.clone() {
        ParkedCommand::List { .. } | ParkedCommand::Show { .. } => Request::List,
        ParkedCommand::Retry { id } => Request::Retry { id },
        ParkedCommand::Skip { id } => Request::Skip { id },
        ParkedCommand::Edit { id, sql } => Request::Edit { id, sql },
    };
    match (ask(&args, &dir, &request).await?, args.command) {
        (Answer::Items { items }, ParkedCommand::Show { id }) => show(&items, &id),
        (Answer::Items { items }, ParkedCommand::List { json: true }) => {
            let text = serde_json::to_string_pretty(&items);
            println!("{}", text.map_err(|error| Failure::corrupt("list", error.to_string()))?);
            Ok(Exit::Done)
        }
        (Answer::Items { items }, _) => {
            list(&items);
            Ok(Exit::Done)
        }
        (Answer::Done { text }, _) => {
            println!("{text}");
            Ok(Exit::Done)
        }
        (Answer::Refused { text }, _) => Err(Failure::configuration(
            "parked",
            format!("it waits again: {text}"),
            "see whimbrel parked show, then edit or skip it, or correct the target and retry it",
        )),
        (Answer::Unknown, _) => Err(unknown()),
        (Answer::Failed { code, object, cause, hint }, _) => {
            let kind = ErrorKind::from_code(&code).unwrap_or(ErrorKind::Other);
            Err(ConnectorError::new(kind, object, cause).with_hint(hint).into())
        }
    }
}

/// Asks the running task, or does it under the task's lock.
async fn ask(args: &ParkedArgs, dir: &Path, request: &Request) -> Result<Answer, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = control::ask(dir, request).await? {
            return Ok(answer);
        }
        if let Some(home) = TaskHome::open_existing(dir)? {
            let url = args.target.clone().unwrap_or_else(|| home.definition.target.clone());
            let target = endpoints::open(&url, Role::Target)?;
            return Ok(offline::settle(&target, &home.home.id, request.clone()).await?);
        }
        // Somebody holds the lock, and doesn't listen yet, or no more.
        if Instant::now() >= deadline {
            return Err(Failure::configuration(
                dir.display().to_string(),
                "a process holds the task, and doesn't listen for commands",
                "wait until it has started or ended, then try again",
            ));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn unknown() -> Failure {
    Failure::configuration(
        "ID",
        "nothing that waits has this ID, or its decision has been made",
        "whimbrel parked list shows what waits",
    )
}

fn list(items: &[Item]) {
    if items.is_empty() {
        println!("nothing is parked");
        return;
    }
    println!("{:<16} {:<32} why", "id", "table");
    for item in items {
        let state = if item.decided { "(being carried out) " } else { "" };
        let queued =
            if item.queued > 0 { format!("; {} later changes queue", item.queued) } else { String::new() };
        println!(
            "{:<16} {:<32} {state}{}: {} {}{queued}",
            item.id,
            item.tables.join(", "),
            excerpt(&item.what),
            item.code,
            excerpt(&item.reason),
        );
    }
}

fn show(items: &[Item], id: &str) -> Result<Exit, Failure> {
    let exact = items.iter().find(|item| item.id == id);
    let item = exact.or_else(|| items.iter().find(|item| item.id.starts_with(id))).ok_or_else(unknown)?;
    println!("id        {}", item.id);
    println!("tables    {}", item.tables.join(", "));
    println!("what      {}", item.what);
    println!("reason    {} {}", item.code, item.reason);
    println!("position  {}", item.position);
    if item.item.is_some() {
        println!("queued    {} later changes", item.queued);
    }
    if item.decided {
        println!("state     decided; being carried out");
    }
    for (name, text) in &item.details {
        println!("{name}: {text}");
    }
    Ok(Exit::Done)
}

fn excerpt(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
