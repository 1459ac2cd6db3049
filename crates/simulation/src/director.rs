//! Who decides what goes wrong, and keeps the record of everything that happens.
//!
//! Every call of a seam and every operation of a disk comes here first. The decision is drawn from the seed's generator
//! in the order of the calls, so the same calls get the same decisions; the record's hash tells whether two runs were
//! the same.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use whimbrel_connector::ErrorKind;
use whimbrel_connector_sim::{Call, Fate, Hook, Random, SimClock};

use crate::application::Application;
use crate::plan::{Ending, Plan};

/// Calls after which a schedule counts as one that never ends.
const MOST_CALLS: u64 = 60_000;

pub struct Director {
    state: Mutex<State>,
    application: Mutex<Option<Application>>,
    clock: Arc<SimClock>,
    /// Something is to happen to the process.
    pub event: Notify,
}

struct State {
    random: Random,
    calls: u64,
    /// Calls since the process began.
    calls_of_life: u64,
    hash: u64,
    lines: VecDeque<String>,
    /// As many lines are kept for a person.
    kept_lines: usize,
    busy: u64,
    faults_every: u64,
    faults_left: u32,
    endings: VecDeque<(u64, Ending)>,
    /// What is to happen, until the driver takes it.
    happened: Option<Ending>,
    dead: bool,
    endless: bool,
}

impl fmt::Debug for Director {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Director").finish_non_exhaustive()
    }
}

impl Director {
    pub fn new(plan: &Plan, random: Random, clock: Arc<SimClock>, kept_lines: usize) -> Arc<Self> {
        let state = State {
            random,
            calls: 0,
            calls_of_life: 0,
            hash: 0xcbf2_9ce4_8422_2325,
            lines: VecDeque::new(),
            kept_lines,
            busy: plan.busy,
            faults_every: plan.faults_every,
            faults_left: plan.most_faults,
            endings: plan.endings.iter().copied().collect(),
            happened: None,
            dead: false,
            endless: false,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            application: Mutex::new(None),
            clock,
            event: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this application is at work.
    pub fn employ(&self, application: Application) {
        *self.application.lock().unwrap_or_else(PoisonError::into_inner) = Some(application);
    }

    /// The application goes. It knows the source, which knows the director.
    pub fn dismiss(&self) {
        *self.application.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Looks at the application, or lets it do something.
    pub fn application<T>(&self, work: impl FnOnce(&mut Application) -> T) -> Option<T> {
        self.application.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(work)
    }

    /// A process begins; the last one is gone.
    pub fn begin_life(&self) {
        let mut state = self.state();
        (state.dead, state.happened, state.calls_of_life) = (false, None, 0);
    }

    /// Nothing goes wrong any more, and the application is silent.
    pub fn be_calm(&self) {
        let mut state = self.state();
        state.faults_left = 0;
        state.endings.clear();
    }

    /// What is to happen to the process.
    pub fn take_event(&self) -> Option<Ending> {
        self.state().happened.take()
    }

    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    pub fn is_endless(&self) -> bool {
        self.state().endless
    }

    /// A fault that somebody else decided on; false where there were enough.
    pub fn spend_fault(&self) -> bool {
        let mut state = self.state();
        let may = state.faults_left > 0;
        state.faults_left -= u32::from(may);
        may
    }

    /// Adds a line to the record.
    pub fn note(&self, line: &str) {
        let now = self.clock.elapsed();
        self.state().note(now, line);
    }

    pub fn hash(&self) -> u64 {
        self.state().hash
    }

    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The end of the record.
    pub fn lines(&self) -> Vec<String> {
        self.state().lines.iter().cloned().collect()
    }

    /// An operation of a disk; false where the machine is dead.
    pub fn disk_call(&self, name: &'static str, path: &str) -> bool {
        let now = self.clock.elapsed();
        let mut state = self.state();
        if state.dead {
            return false;
        }
        state.note(now, &format!("disk {name} {path}"));
        if state.count() {
            self.event.notify_one();
        }
        !state.dead
    }
}

impl State {
    fn note(&mut self, now: Duration, line: &str) {
        let line = format!("{:>9.3} {line}", now.as_secs_f64() * 1e3);
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        if self.lines.len() >= self.kept_lines {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Counts a call; true where something happens to the process at it.
    fn count(&mut self) -> bool {
        self.calls += 1;
        self.calls_of_life += 1;
        if self.calls > MOST_CALLS {
            (self.endless, self.dead) = (true, true);
            return true;
        }
        let Some((at, ending)) = self.endings.front().copied() else { return false };
        if self.calls_of_life < at || self.happened.is_some() {
            return false;
        }
        self.endings.pop_front();
        self.happened = Some(ending);
        self.dead = matches!(ending, Ending::Killed | Ending::PowerLost);
        true
    }

    fn fate(&mut self, call: &Call<'_>) -> Fate {
        let session = !matches!(
            call.name,
            "catalog" | "snapshot_reader" | "log_reader" | "writer" | "take_over" | "next_record"
        );
        let random = &mut self.random;
        let short = Duration::from_millis(random.below(100));
        let long = Duration::from_millis(random.below(4000));
        match random.below(10) {
            0 | 1 => Fate::LostBefore,
            2 | 3 => Fate::LostAfter,
            4 => Fate::SlowBefore(short),
            5 => Fate::SlowAfter(short),
            6 => Fate::SlowAfter(long),
            7 | 8 if session && call.name != "rollback" && call.name != "begin" => Fate::Late(long),
            _ => Fate::Refused(self.refusal(call.name)),
        }
    }

    fn refusal(&mut self, name: &str) -> ErrorKind {
        let kinds: &[ErrorKind] = match name {
            "commit" | "insert" | "delete" | "update" | "state_put" | "hold_table" => {
                &[ErrorKind::TransactionConflict, ErrorKind::Overloaded, ErrorKind::Timeout]
            }
            "catalog" | "snapshot_reader" | "log_reader" | "writer" => &[ErrorKind::Unreachable],
            _ => &[ErrorKind::Overloaded, ErrorKind::Timeout],
        };
        self.random.pick(kinds).clone()
    }

    /// How a call ends at which another process takes over: that happens to those that stand still for a while, and then
    /// go on with what they were about to do.
    fn fate_of_stalled(&mut self) -> Fate {
        let long = Duration::from_millis(self.random.below(4000));
        if self.random.one_in(2) { Fate::SlowBefore(long) } else { Fate::SlowAfter(long) }
    }

    /// How a call ends at which the process dies.
    fn last_fate(&mut self, call: &Call<'_>) -> Fate {
        match self.random.below(4) {
            0 => Fate::HangAfter,
            // The request is on its way, and the server doesn't know that nobody waits for the answer.
            1 if call.name == "commit" => Fate::Late(Duration::from_millis(self.random.below(5000))),
            _ => Fate::Hang,
        }
    }
}

impl Hook for Director {
    fn decide(&self, call: &Call<'_>) -> Fate {
        let now = self.clock.elapsed();
        let mut state = self.state();
        if state.dead {
            return Fate::Hang;
        }
        let busy = state.busy;
        if state.random.one_in(busy) {
            drop(state);
            self.application(Application::step);
            state = self.state();
        }
        let fate = if state.count() {
            self.event.notify_one();
            match state.happened {
                _ if state.dead => state.last_fate(call),
                Some(Ending::TakenOver) => state.fate_of_stalled(),
                _ => Fate::Pass,
            }
        } else {
            let every = state.faults_every;
            if state.faults_left > 0 && state.random.one_in(every) {
                state.faults_left -= 1;
                state.fate(call)
            } else {
                Fate::Pass
            }
        };
        let shown = if fate == Fate::Pass { String::new() } else { format!(" -> {fate:?}") };
        state.note(now, &format!("{}.{} {}{shown}", call.server, call.name, call.detail));
        fate
    }
}
