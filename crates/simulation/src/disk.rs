//! The disk of a simulated machine: the Store's own faulty file system, with the director asked at each operation.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use whimbrel_connector_sim::Random;
use whimbrel_store::fs::{Fs, FsFile, LockGuard};

use crate::director::Director;
use crate::faulty::{Faults, FaultyFs};

/// A disk with the machine that uses it.
#[derive(Clone, Debug)]
pub struct Disk {
    files: FaultyFs,
    director: Arc<Director>,
    dice: Arc<Mutex<Dice>>,
}

#[derive(Debug)]
struct Dice {
    random: Random,
    /// One of as many operations goes wrong.
    every: u64,
    /// Operations for which the disk stays full.
    full_for: u32,
}

fn dead() -> io::Error {
    io::Error::other("the machine is dead")
}

impl Disk {
    pub fn new(director: Arc<Director>, random: Random, every: u64) -> Self {
        let dice = Arc::new(Mutex::new(Dice { random, every, full_for: 0 }));
        Self { files: FaultyFs::default(), director, dice }
    }

    /// What another machine would have that was copied from this one now.
    pub fn copy(&self) -> Self {
        let mut dice = self.dice();
        let copied = Dice { random: dice.random.split(), every: dice.every, full_for: 0 };
        Self { files: self.files.copy(), director: self.director.clone(), dice: Arc::new(Mutex::new(copied)) }
    }

    /// The power is cut. Everything opened before must have been dropped.
    pub fn lose_power(&self) {
        let seed = self.dice().random.number();
        self.files.crash(seed);
        self.dice().full_for = 0;
    }

    fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before an operation: false where the machine is dead.
    fn ask(&self, name: &'static str, path: &str) -> io::Result<()> {
        if self.director.disk_call(name, path) { Ok(()) } else { Err(dead()) }
    }

    /// Decides what goes wrong with a write or sync.
    fn roll(&self, is_sync: bool) {
        let mut dice = self.dice();
        let mut faults = Faults::default();
        if dice.full_for > 0 {
            dice.full_for -= 1;
            faults.capacity = Some(self.files.used());
        } else {
            let every = dice.every;
            if dice.random.one_in(every) && self.director.spend_fault() {
                match dice.random.below(4) {
                    0 => {
                        dice.full_for = dice.random.below(4) as u32;
                        let room = dice.random.below(200) as usize;
                        faults.capacity = Some(self.files.used() + room);
                    }
                    1 => faults.short_writes = Some(1 + dice.random.below(300) as usize),
                    _ if is_sync => faults.fail_syncs = 1,
                    _ => faults.fail_writes = 1,
                }
                self.director.note(&format!("disk fault {faults:?}"));
            }
        }
        drop(dice);
        self.files.set_faults(faults);
    }

    fn file(&self, file: Arc<dyn FsFile>, path: &Path) -> Arc<dyn FsFile> {
        Arc::new(DiskFile { disk: self.clone(), file, name: name(path) })
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

impl Fs for Disk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.ask("create_dir", &name(dir))?;
        self.files.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.ask("list", &name(dir))?;
        self.files.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        self.ask("create", &name(path))?;
        Ok(self.file(self.files.create(path)?, path))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        self.ask("open", &name(path))?;
        Ok(self.file(self.files.open(path)?, path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        self.ask("open_read", &name(path))?;
        Ok(self.file(self.files.open_read(path)?, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask("rename", &name(to))?;
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask("remove", &name(path))?;
        self.files.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.ask("sync_dir", &name(dir))?;
        self.files.sync_dir(dir)
    }

    fn free_space(&self, dir: &Path) -> io::Result<u64> {
        // Room comes back by itself, also where nobody writes because there is none.
        self.roll(false);
        self.files.free_space(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<LockGuard>> {
        self.ask("lock", &name(path))?;
        self.files.lock(path)
    }
}

#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    file: Arc<dyn FsFile>,
    name: String,
}

impl FsFile for DiskFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.disk.director.is_dead() { Err(dead()) } else { self.file.read_at(buffer, offset) }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.ask("write", &format!("{} {offset}+{}", self.name, bytes.len()))?;
        self.disk.roll(false);
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.ask("set_len", &format!("{} {len}", self.name))?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.ask("sync", &self.name)?;
        self.disk.roll(true);
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        if self.disk.director.is_dead() { Err(dead()) } else { self.file.len() }
    }
}
