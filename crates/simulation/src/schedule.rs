//! One schedule: processes of the task, one after the other, until one has brought everything over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind, Policy, Result};
use whimbrel_connector_sim::Random;

use crate::application::Application;
use crate::check;
use crate::life::Life;
use crate::plan::Ending;
use crate::world::World;

/// Processes after which a schedule counts as one that never ends.
const MOST_LIVES: u32 = 80;
/// Simulated time that one process may take.
const LONGEST_LIFE: Duration = Duration::from_secs(3 * 3600);

/// What a schedule was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    pub calls: u64,
    pub lives: u32,
    /// Of everything that happened.
    pub hash: u64,
    pub simulated: Duration,
}

/// What went wrong in a schedule.
#[derive(Clone, Debug)]
pub struct Failed {
    pub seed: u64,
    pub what: String,
    /// The end of the record.
    pub lines: Vec<String>,
    pub plan: String,
}

enum Outcome {
    Done,
    Ended(Ending),
    Error(ConnectorError),
}

/// Runs the schedule of a seed; of a failing one the last `kept_lines` lines of the record are kept.
///
/// # Errors
/// What was not as it must be.
pub fn run(seed: u64, corrections: &Path, kept_lines: usize) -> std::result::Result<Passed, Box<Failed>> {
    let world = Arc::new(World::new(seed, corrections.to_owned(), kept_lines));
    let failed = |what: String| {
        let (lines, plan) = (world.director.lines(), format!("{:?}", world.plan));
        Box::new(Failed { seed, what, lines, plan })
    };
    let ran = catch_unwind(AssertUnwindSafe(|| live_and_check(seed, &world)));
    let lives = match ran {
        Ok(ran) => ran.map_err(&failed)?,
        Err(panic) => return Err(failed(format!("panicked: {}", panic_text(panic.as_ref())))),
    };
    let (calls, hash) = (world.director.calls(), world.director.hash());
    Ok(Passed { calls, lives, hash, simulated: world.clock.elapsed() })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word").to_owned()
}

fn runtime() -> Runtime {
    let built = Builder::new_current_thread().enable_time().start_paused(true).build();
    built.expect("a runtime without I/O needs nothing of the machine")
}

fn live_and_check(seed: u64, world: &Arc<World>) -> std::result::Result<u32, String> {
    let mut random = Random::new(seed ^ 0x5eed_5eed);
    let mut lives = 0;
    loop {
        lives += 1;
        if lives > MOST_LIVES {
            return Err("no process brings it to its end".to_owned());
        }
        world.director.begin_life();
        world.director.note("-- a process begins");
        let runtime = runtime();
        let outcome = runtime.block_on(timed(world, one_life(world, &mut random)));
        drop(runtime);
        if world.director.is_endless() {
            return Err("too many calls".to_owned());
        }
        match outcome {
            Outcome::Done => break,
            Outcome::Ended(ending) => {
                world.director.note(&format!("-- it has ended: {ending:?}"));
                if ending == Ending::PowerLost {
                    world.disk().lose_power();
                }
            }
            Outcome::Error(error) => {
                let text = format!("{:?} {}: {}", error.kind, error.object, error.chain());
                world.director.note(&format!("-- it has failed: {text}"));
                if !may_happen(&error) {
                    return Err(text);
                }
            }
        }
        // The application goes on while nobody looks.
        for _ in 0..random.below(4) {
            world.director.application(Application::step);
        }
    }
    check::equal(world)?;
    world.director.be_calm();
    world.director.begin_life();
    let runtime = runtime();
    runtime.block_on(timed(world, check::verification(world, &mut random)))?;
    Ok(lives)
}

async fn timed<T>(world: &World, work: impl Future<Output = T>) -> T {
    world.clock.resume();
    let done = work.await;
    world.clock.pause();
    done
}

/// Errors after which a person starts the task again: of servers and disks that weren't there for a while.
fn may_happen(error: &ConnectorError) -> bool {
    error.policy() == Policy::Retry || matches!(error.kind, ErrorKind::LocalStorage | ErrorKind::Cancelled)
}

/// One process, or two where one takes over from another.
async fn one_life(world: &Arc<World>, random: &mut Random) -> Outcome {
    let stop = CancellationToken::new();
    let life = |stop: &CancellationToken, takes_over: bool| {
        Life { world: world.clone(), stop: stop.clone(), takes_over }.live()
    };
    let mut first = tokio::spawn(life(&stop, false));
    let application = tokio::spawn(write_along(world.clone(), random.split()));
    let mut taken_over = None;
    let mut clock = Box::pin(tokio::time::sleep(LONGEST_LIFE));
    loop {
        tokio::select! {
            biased;
            () = world.director.event.notified() => match world.director.take_event() {
                Some(Ending::TakenOver) if taken_over.is_none() => {
                    world.director.note("-- another process begins beside it");
                    let second = tokio::spawn(life(&CancellationToken::new(), true));
                    taken_over = Some(std::mem::replace(&mut first, second));
                }
                Some(Ending::Stopped) => stop.cancel(),
                Some(Ending::TakenOver) => {}
                // Too many calls end it too; the caller asks.
                ending => return Outcome::Ended(ending.unwrap_or(Ending::Killed)),
            },
            ended = &mut first => {
                application.abort();
                let outcome = match ended {
                    Ok(Ok(())) => Outcome::Done,
                    Ok(Err(error)) => Outcome::Error(error),
                    Err(panic) => Outcome::Error(broke(panic)),
                };
                return match (outcome, taken_over) {
                    (Outcome::Done, Some(old)) => fenced(old).await,
                    (outcome, _) => outcome,
                };
            }
            () = &mut clock => {
                let message = "a process has taken too long";
                return Outcome::Error(ConnectorError::new(ErrorKind::Other, "time", message));
            }
        }
    }
}

fn broke(panic: tokio::task::JoinError) -> ConnectorError {
    let text = match panic.try_into_panic() {
        Ok(panic) => panic_text(panic.as_ref()),
        Err(error) => error.to_string(),
    };
    ConnectorError::new(ErrorKind::Other, "a process", format!("it panicked: {text}"))
}

/// The process that was taken over has found out, and ends.
async fn fenced(old: tokio::task::JoinHandle<Result<()>>) -> Outcome {
    match tokio::time::timeout(Duration::from_secs(3600), old).await {
        Ok(Ok(Ok(()))) => Outcome::Done,
        Ok(Ok(Err(error))) if error.kind == ErrorKind::Fenced || may_happen(&error) => Outcome::Done,
        Ok(Ok(Err(error))) => Outcome::Error(error),
        Ok(Err(panic)) => Outcome::Error(broke(panic)),
        Err(_) => {
            let message = "the process that was taken over goes on";
            Outcome::Error(ConnectorError::new(ErrorKind::Other, "zombie", message))
        }
    }
}

/// The application writes by itself, not only when somebody calls.
async fn write_along(world: Arc<World>, mut random: Random) {
    while world.director.application(|application| application.is_done()) == Some(false) {
        tokio::time::sleep(Duration::from_millis(1 + random.below(40))).await;
        if !world.director.is_dead() {
            world.director.application(Application::step);
        }
    }
}
