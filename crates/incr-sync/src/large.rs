//! Transactions too large to be held: their pieces are applied as they are read.
//!
//! `transaction` mode: all pieces in one target transaction, which commits with the checkpoint. Nothing else is
//! under way meanwhile. `convergent` mode: each piece commits over all lanes like a window without a
//! checkpoint; only changes of keyless tables and of those that share a target stay in one open transaction, which
//! commits with the checkpoint.
//!
//! When the open transaction is lost, or a piece needs to be done row by row (a statement of many rows may have
//! written a part), everything is read again from the checkpoint. Pieces are cut at the same places then, so
//! those that need care are known by their number.

use std::sync::Arc;

use whimbrel_connector::{FailPoint, Result};

use crate::ApplyMode;
use crate::apply::Applier;
use crate::convergent::{by_repeatability, run_repeatable};
use crate::effects::Effects;
use crate::engine::Engine;
use crate::run::publish;
use crate::session::{ApplyError, Session};
use crate::window::{Loc, Window};

/// A large transaction under way.
pub(crate) struct Large {
    /// With an open transaction.
    session: Session,
    effects: Effects,
    /// Number of the next piece.
    piece: usize,
}

impl Engine {
    pub(crate) async fn apply_piece(&mut self, window: Window, first: bool) -> Result<()> {
        self.idle = false;
        self.shared.board.caught_up(false);
        if first && self.large.is_none() {
            let Some(session) = self.sessions.pop() else { return Ok(()) };
            self.large = Some(Large { session, effects: Effects::default(), piece: 0 });
            if let Some(large) = &mut self.large
                && let Err(error) = large.session.begin().await
            {
                return self.start_again(ApplyError::Failed(error)).await;
            }
        }
        let at = window.end.as_ref().map_or(&self.applied.position, |end| &end.position).clone();
        let window = Arc::new(window);
        let held = match self.shared.options.mode {
            ApplyMode::Transaction => window.locs().collect(),
            ApplyMode::Convergent => {
                let (repeatable, once) = by_repeatability(&window);
                self.resume_until = self.resume_until.max(window.last_sequence);
                if self.sessions.is_empty() {
                    // The only session holds the open transaction.
                    window.locs().collect()
                } else {
                    run_repeatable(&mut self.sessions, &self.shared, &window, &repeatable, &at).await?;
                    once
                }
            }
        };
        match self.apply_held(&window, &held, &at).await {
            Ok(true) => self.finish_large(&window).await,
            Ok(false) => Ok(()),
            Err(error) => self.start_again(error).await,
        }
    }

    /// True where it was the last piece and everything is committed.
    async fn apply_held(
        &mut self,
        window: &Window,
        locs: &[Loc],
        at: &whimbrel_model::Position,
    ) -> Result<bool, ApplyError> {
        let Some(large) = &mut self.large else { return Ok(false) };
        let careful = self.careful_pieces.contains(&large.piece);
        let Large { session, effects, .. } = large;
        let mut applier = Applier { session, shared: &self.shared, window, effects, at };
        applier.apply(locs, careful).await?;
        let Some(end) = &window.end else {
            large.piece += 1;
            FailPoint::PieceWritten.reached();
            return Ok(false);
        };
        let payload = self.shared.checkpoint(end);
        let key = self.shared.scope.checkpoint_key();
        large.session.writer.state_put(&key, &payload).await?;
        if large.session.commit(&key, &payload).await? {
            FailPoint::LargeCommitted.reached();
            Ok(true)
        } else {
            let lost = "the transaction was lost while it was committed";
            let kind = whimbrel_connector::ErrorKind::TransactionConflict;
            Err(whimbrel_connector::ConnectorError::new(kind, "target", lost).into())
        }
    }

    async fn finish_large(&mut self, window: &Window) -> Result<()> {
        let Some(large) = self.large.take() else { return Ok(()) };
        self.sessions.push(large.session);
        self.careful_pieces.clear();
        publish(&self.shared, &large.effects, window.transactions);
        if let Some(end) = &window.end {
            self.set_applied(end.clone());
            self.set_persisted().await?;
        }
        Ok(())
    }

    /// Gives up what is under way and reads it again from the checkpoint.
    async fn start_again(&mut self, error: ApplyError) -> Result<()> {
        let piece = self.large.as_ref().map_or(0, |large| large.piece);
        self.abandon_large().await;
        match error {
            ApplyError::Mismatch => {
                self.careful_pieces.insert(piece);
                self.shared.board.careful();
            }
            ApplyError::Failed(error) => {
                self.shared.board.retried(&error);
                self.shared.backoff().wait(error, &self.shared.stop).await?;
            }
        }
        self.restart_reader().await
    }

    pub(crate) async fn abandon_large(&mut self) {
        if let Some(mut large) = self.large.take() {
            large.session.rollback().await;
            self.sessions.push(large.session);
        }
    }
}
