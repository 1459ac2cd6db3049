//! What outlives a process: servers, disk, clock, and the task's folder.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use whimbrel_connector_sim::{Random, SimClock, SimEndpoint, SimServer};
use whimbrel_model::{Position, TableName, TableSchema};

use crate::application::Application;
use crate::director::Director;
use crate::disk::Disk;
use crate::plan::Plan;
use crate::tables;

/// Position and tables at the begin of the task, as the task's folder keeps them.
#[derive(Clone, Debug)]
pub struct Start {
    pub position: Position,
    pub tables: Vec<TableSchema>,
}

pub struct World {
    pub plan: Plan,
    pub director: Arc<Director>,
    pub clock: Arc<SimClock>,
    pub source: SimEndpoint,
    pub target: SimEndpoint,
    pub names: Vec<TableName>,
    /// Where a verification writes; the machine's own disk.
    pub corrections: PathBuf,
    disk: Mutex<Disk>,
    start: Mutex<Option<Start>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for World {
    /// Else all that has happened in it would stay in memory.
    fn drop(&mut self) {
        self.director.dismiss();
    }
}

impl World {
    /// The world of a seed, before anything was moved.
    pub fn new(seed: u64, corrections: PathBuf, kept_lines: usize) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random);
        let clock = Arc::new(SimClock::default());
        let director = Director::new(&plan, random.split(), clock.clone(), kept_lines);
        let source = SimServer::new("source", clock.clone(), plan.log_batch_bytes);
        let target = SimServer::new("target", clock.clone(), plan.log_batch_bytes);
        target.create_schema(tables::TARGET);
        let mut names = Vec::new();
        for kind in &plan.tables {
            let schema = tables::schema(tables::SOURCE, *kind);
            names.push(schema.name.clone());
            source.create_table(schema);
        }
        let mut application =
            Application::new(source.clone(), random.split(), names.clone(), plan.transactions, plan.ddl);
        application.fill(plan.rows);
        director.employ(application);
        let disk = Disk::new(director.clone(), random.split(), plan.disk_faults_every);
        source.set_hook(director.clone());
        target.set_hook(director.clone());
        Self {
            plan,
            director,
            clock,
            source: SimEndpoint(source),
            target: SimEndpoint(target),
            names,
            corrections,
            disk: Mutex::new(disk),
            start: Mutex::new(None),
        }
    }

    pub fn disk(&self) -> Disk {
        locked(&self.disk).clone()
    }

    /// The task goes on at a copy of the machine.
    pub fn move_to_copy(&self) {
        let copy = self.disk().copy();
        *locked(&self.disk) = copy;
    }

    pub fn start(&self) -> Option<Start> {
        locked(&self.start).clone()
    }

    /// Keeps the start for later processes, and makes the target's tables as the source's are there.
    pub fn keep_start(&self, start: Start) {
        for (at, table) in start.tables.iter().enumerate() {
            let mut schema = table.clone();
            schema.name = target_name(&table.name);
            if self.plan.own_column && at == 0 {
                schema.columns.push(tables::own_column());
            }
            self.target.0.create_table(schema);
        }
        *locked(&self.start) = Some(start);
    }
}

/// The target's name of a table.
pub fn target_name(source: &TableName) -> TableName {
    TableName::new(tables::TARGET, &source.table)
}
