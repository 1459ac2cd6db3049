//! A file system in memory that can run full, fail, write short, and lose what wasn't synced.
//!
//! A file has a live content (what reads give) and a durable one, with the operations between them. A crash
//! applies any of those operations, whole or torn at sectors, and forgets the rest; of the directory's
//! changes since the last `sync_dir` it keeps the first few. A failed `sync_data` drops the operations: later
//! syncs succeed without them, as on Linux.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use whimbrel_store::fs::{Fs, FsFile, LockGuard};

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Op {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Debug, Default)]
struct FileData {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Op>,
}

#[derive(Clone, Debug)]
enum NameOp {
    Put(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// What goes wrong next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Bytes that all files together may have.
    pub capacity: Option<usize>,
    /// As many calls of `sync_data` fail.
    pub fail_syncs: u32,
    /// As many calls of `write_at` fail with an I/O error after a part of the bytes.
    pub fail_writes: u32,
    /// A write takes at most as many bytes.
    pub short_writes: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<FileData>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    name_ops: Vec<NameOp>,
    faults: Faults,
    locked: Arc<()>,
    /// Files opened before a crash are dead.
    epoch: u32,
}

/// The file system; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct FaultyFs {
    state: Arc<Mutex<State>>,
}

/// A small generator: the seed is all that a failing case needs.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 29
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn apply(content: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { offset, bytes } => {
            if content.len() < offset + bytes.len() {
                content.resize(offset + bytes.len(), 0);
            }
            content[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        Op::SetLen(len) => content.resize(*len, 0),
    }
}

fn apply_name(names: &mut BTreeMap<PathBuf, usize>, op: &NameOp) {
    match op {
        NameOp::Put(path, file) => {
            names.insert(path.clone(), *file);
        }
        NameOp::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        NameOp::Remove(path) => {
            names.remove(path);
        }
    }
}

impl FaultyFs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    pub fn used(&self) -> usize {
        let state = self.state();
        state.names.values().map(|file| state.files[*file].live.len()).sum()
    }

    /// Cuts the power. Everything opened before must be dropped.
    pub fn crash(&self, seed: u64) {
        let mut random = Random(seed);
        let mut state = self.state();
        let kept = random.below(state.name_ops.len() + 1);
        let ops: Vec<_> = state.name_ops.drain(..).take(kept).collect();
        for op in &ops {
            apply_name(&mut state.durable_names, op);
        }
        state.names = state.durable_names.clone();
        for file in &mut state.files {
            for op in std::mem::take(&mut file.unsynced) {
                match (random.below(3), op) {
                    (0, _) => {}
                    (1, Op::Write { offset, bytes }) => {
                        // Any of the sectors may be missing.
                        for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                            if random.below(2) == 0 {
                                let bytes = sector.to_vec();
                                apply(
                                    &mut file.durable,
                                    &Op::Write { offset: offset + index * SECTOR, bytes },
                                );
                            }
                        }
                    }
                    (_, op) => apply(&mut file.durable, &op),
                }
            }
            file.live = file.durable.clone();
        }
        state.faults = Faults::default();
        state.epoch += 1;
        state.locked = Arc::default();
    }

    /// The content of a file.
    pub fn content(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[path]].live.clone()
    }

    /// Replaces a file's content, durably.
    pub fn set_content(&self, path: &Path, content: &[u8]) {
        let mut state = self.state();
        let file = FileData { live: content.to_vec(), durable: content.to_vec(), unsynced: Vec::new() };
        state.files.push(file);
        let number = state.files.len() - 1;
        state.names.insert(path.to_owned(), number);
        state.durable_names.insert(path.to_owned(), number);
    }

    /// A copy that shares nothing with this one.
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        for path in self.paths() {
            copy.set_content(&path, &self.content(&path));
        }
        copy
    }

    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    fn handle(&self, file: usize) -> Arc<dyn FsFile> {
        Arc::new(FaultyFile { state: self.state.clone(), file, epoch: self.state().epoch })
    }

    fn find(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        let file = self.state().names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(file))
    }
}

impl Fs for FaultyFs {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        let file = {
            let mut state = self.state();
            state.files.push(FileData::default());
            let file = state.files.len() - 1;
            let op = NameOp::Put(path.to_owned(), file);
            apply_name(&mut state.names, &op);
            state.name_ops.push(op);
            file
        };
        Ok(self.handle(file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        self.find(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn FsFile>> {
        self.find(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let op = NameOp::Rename(from.to_owned(), to.to_owned());
        apply_name(&mut state.names, &op);
        state.name_ops.push(op);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let op = NameOp::Remove(path.to_owned());
        apply_name(&mut state.names, &op);
        state.name_ops.push(op);
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        for op in std::mem::take(&mut state.name_ops) {
            apply_name(&mut state.durable_names, &op);
        }
        Ok(())
    }

    fn free_space(&self, _: &Path) -> io::Result<u64> {
        let used = self.used();
        Ok(self.state().faults.capacity.map_or(u64::MAX / 2, |capacity| capacity.saturating_sub(used) as u64))
    }

    fn lock(&self, _: &Path) -> io::Result<Option<LockGuard>> {
        let state = self.state();
        if Arc::strong_count(&state.locked) > 1 {
            return Ok(None);
        }
        Ok(Some(Box::new(state.locked.clone()) as Box<dyn Any + Send + Sync>))
    }
}

#[derive(Debug)]
struct FaultyFile {
    state: Arc<Mutex<State>>,
    file: usize,
    epoch: u32,
}

impl FaultyFile {
    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.state.lock().unwrap();
        assert_eq!(state.epoch, self.epoch, "a file is used after the crash of its machine");
        state
    }
}

impl FsFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.state();
        let rest = state.files[self.file].live.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        let used: usize = state.names.values().map(|file| state.files[*file].live.len()).sum();
        let offset = offset as usize;
        let growth = (offset + bytes.len()).saturating_sub(state.files[self.file].live.len());
        let mut count = bytes.len().min(state.faults.short_writes.unwrap_or(usize::MAX));
        if let Some(capacity) = state.faults.capacity
            && used + growth > capacity
        {
            let fits = (bytes.len() - growth) + capacity.saturating_sub(used);
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            count = count.min(fits);
        }
        let fails = state.faults.fail_writes > 0;
        if fails {
            state.faults.fail_writes -= 1;
            count /= 2;
        }
        let op = Op::Write { offset, bytes: bytes[..count].to_vec() };
        let file = &mut state.files[self.file];
        apply(&mut file.live, &op);
        file.unsynced.push(op);
        if fails { Err(io::Error::other("the disk has a bad sector")) } else { Ok(count) }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let op = Op::SetLen(len as usize);
        let file = &mut state.files[self.file];
        apply(&mut file.live, &op);
        file.unsynced.push(op);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.faults.fail_syncs > 0 {
            state.faults.fail_syncs -= 1;
            state.files[self.file].unsynced.clear();
            return Err(io::Error::other("the disk lost a write"));
        }
        let file = &mut state.files[self.file];
        for op in std::mem::take(&mut file.unsynced) {
            apply(&mut file.durable, &op);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.state().files[self.file].live.len() as u64)
    }
}
