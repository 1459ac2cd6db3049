//! Brings pieces of tables from the planners to the workers: always one of the table whose turn is first.
//!
//! So tables are loaded one after the other rather than side by side, as far as there is enough of a table for all
//! workers, and the index builder gets the first ones while others are still being loaded. Each planner may be ahead of the
//! workers by a fixed number of pieces, whoever's turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

struct Waiting<T> {
    /// By the table's turn; no list is empty.
    pieces: BTreeMap<usize, VecDeque<T>>,
    planners: usize,
    workers: usize,
}

impl<T> Waiting<T> {
    fn take_first(&mut self) -> Option<T> {
        let mut first = self.pieces.first_entry()?;
        let piece = first.get_mut().pop_front();
        if first.get().is_empty() {
            first.remove();
        }
        piece
    }
}

struct Shared<T> {
    waiting: Mutex<Waiting<T>>,
    /// Pieces of one table that may wait.
    room: usize,
    came: Notify,
    taken: Notify,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A planner's end.
pub(crate) struct Pieces<T>(Arc<Shared<T>>);

/// A worker's end.
pub(crate) struct Queue<T>(Arc<Shared<T>>);

/// The workers are gone.
#[derive(Debug)]
pub(crate) struct Closed;

/// A queue that holds up to `room` pieces of each table that is being planned.
pub(crate) fn new<T>(room: usize) -> (Pieces<T>, Queue<T>) {
    let waiting = Waiting { pieces: BTreeMap::new(), planners: 1, workers: 1 };
    let shared =
        Shared { waiting: Mutex::new(waiting), room: room.max(1), came: Notify::new(), taken: Notify::new() };
    let shared = Arc::new(shared);
    (Pieces(shared.clone()), Queue(shared))
}

impl<T> Pieces<T> {
    /// Waits until there is room. A call that is dropped has handed out nothing.
    pub async fn send(&self, turn: usize, piece: T) -> Result<(), Closed> {
        let mut piece = Some(piece);
        loop {
            // Listening begins before the look, so that nothing is missed in between.
            let mut taken = std::pin::pin!(self.0.taken.notified());
            taken.as_mut().enable();
            {
                let mut waiting = self.0.lock();
                if waiting.workers == 0 {
                    return Err(Closed);
                }
                let pieces = waiting.pieces.entry(turn).or_default();
                if pieces.len() < self.0.room {
                    pieces.extend(piece.take());
                    drop(waiting);
                    self.0.came.notify_one();
                    return Ok(());
                }
            }
            taken.await;
        }
    }
}

impl<T> Queue<T> {
    /// The next piece; `None` when the planners are gone and all is handed out.
    pub async fn next(&self) -> Option<T> {
        loop {
            let mut came = std::pin::pin!(self.0.came.notified());
            came.as_mut().enable();
            {
                let mut waiting = self.0.lock();
                if let Some(piece) = waiting.take_first() {
                    let more = !waiting.pieces.is_empty();
                    drop(waiting);
                    self.0.taken.notify_waiters();
                    if more {
                        // One notice may have stood for several pieces.
                        self.0.came.notify_one();
                    }
                    return Some(piece);
                }
                if waiting.planners == 0 {
                    return None;
                }
            }
            came.await;
        }
    }
}

impl<T> Clone for Pieces<T> {
    fn clone(&self) -> Self {
        self.0.lock().planners += 1;
        Self(self.0.clone())
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        self.0.lock().workers += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Pieces<T> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.planners -= 1;
        if waiting.planners == 0 {
            drop(waiting);
            self.0.came.notify_waiters();
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.workers -= 1;
        if waiting.workers == 0 {
            waiting.pieces.clear();
            drop(waiting);
            self.0.taken.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_first_turn_goes_first() {
        let (pieces, queue) = new(2);
        for (turn, piece) in [(7, "c"), (3, "a"), (7, "d"), (3, "b")] {
            pieces.send(turn, piece).await.unwrap();
        }
        drop(pieces);
        let mut taken = Vec::new();
        while let Some(piece) = queue.next().await {
            taken.push(piece);
        }
        assert_eq!(taken, ["a", "b", "c", "d"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_planner_waits_for_room_and_others_do_not() {
        let (pieces, queue) = new(1);
        pieces.send(1, 10).await.unwrap();
        let full = tokio::time::timeout(Duration::from_secs(9), pieces.send(1, 11)).await;
        assert!(full.is_err());
        pieces.send(2, 20).await.unwrap();
        let (sent, taken) = tokio::join!(pieces.send(1, 12), queue.next());
        assert_eq!((sent.is_ok(), taken), (true, Some(10)));
        assert_eq!((queue.next().await, queue.next().await), (Some(12), Some(20)));
    }

    #[tokio::test]
    async fn all_workers_are_woken_and_each_end_notices_when_the_other_is_gone() {
        let (pieces, queue) = new(100);
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move {
                    let mut sum = 0;
                    while let Some(piece) = queue.next().await {
                        sum += piece;
                        tokio::task::yield_now().await;
                    }
                    sum
                })
            })
            .collect();
        for piece in 1..=1000 {
            pieces.send(piece % 3, piece).await.unwrap();
        }
        drop(pieces);
        let mut sum = 0;
        for worker in workers {
            sum += worker.await.unwrap();
        }
        assert_eq!(sum, 500_500);

        let (pieces, queue) = new(1);
        pieces.send(1, 1).await.unwrap();
        let (sent, ()) = tokio::join!(pieces.send(1, 2), async { drop(queue) });
        assert!(sent.is_err());
    }
}
