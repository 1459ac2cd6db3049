//! Settling what is parked of a task that nobody runs, under the task's lock.
//!
//! Rows are settled at once. A statement's queue is in the Store and follows the rules of the task, so the decision is
//! noted in the task's state, and the next run carries it out before anything else.

use whimbrel_connector::{ConnectorError, ErrorKind, Result, Target};
use whimbrel_incr_sync::{Decision, hold, parked};

use super::{Answer, Named, Request, item, named, objection};
use crate::endpoints::Endpoint;

/// The caller holds the task's lock.
pub async fn settle(target: &Endpoint, task: &str, request: Request) -> Result<Answer> {
    let target: &dyn Target = target.as_ref();
    let epoch = target.take_over(task).await?;
    let mut writer = target.writer(task, epoch).await?;
    let writer = writer.as_mut();
    let items = item::all(writer).await?;
    let (id, edit) = match &request {
        Request::List => return Ok(Answer::Items { items }),
        Request::Retry { id } | Request::Skip { id } => (id, None),
        Request::Edit { id, sql } => (id, Some(sql)),
    };
    let Some(named) = named(id, &items) else { return Ok(Answer::Unknown) };
    if let Some(objection) = edit.and_then(|sql| objection(sql, matches!(named, Named::Row(_)))) {
        return Err(ConnectorError::new(ErrorKind::Configuration, "--sql", objection));
    }
    Ok(match (named, request) {
        (Named::Row(item), Request::Retry { .. }) => {
            let mut catalog = target.catalog().await?;
            Answer::of_row(parked::retry(writer, catalog.as_mut(), &item).await)
        }
        (Named::Row(item), Request::Edit { sql, .. }) => {
            Answer::of_row(parked::edit(writer, &item, &sql).await)
        }
        (Named::Row(item), _) => {
            parked::skip(writer, &item).await?;
            Answer::Done { text: "the row is given up; the target stays as it is".to_owned() }
        }
        (Named::Statement(sequence), request) => {
            let decision = match request {
                Request::Edit { sql, .. } => Decision::Edit(sql),
                Request::Skip { .. } => Decision::Skip,
                _ => Decision::Retry,
            };
            Answer::of_statement(hold::decide(writer, sequence, decision).await)
        }
    })
}
