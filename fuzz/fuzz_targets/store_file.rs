//! A segment file of any content, as the only one of a Store: it is checked, printed, opened (which mends its end) and read
//! to the end, or refused.
//!
//! Input: `1 what is done to it (even: nothing, odd: its checksums are made right, so that what they protect is reached)`, then
//! the file. Layout: `crates/store/src/format.rs`.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use whimbrel_store::{StartAt, Store, StoreError, StoreOptions, inspect};

const FILE_HEADER: usize = 64;
const BLOCK_HEADER: usize = 56;

/// Makes the checksum behind `from..to` right.
fn seal(file: &mut [u8], from: usize, to: usize) -> Option<()> {
    let sum = crc32fast::hash(file.get(from..to)?);
    file.get_mut(to..to + 4)?.copy_from_slice(&sum.to_le_bytes());
    Some(())
}

/// Makes all checksums right, as far as blocks follow each other.
fn seal_all(file: &mut [u8]) -> Option<()> {
    seal(file, 0, FILE_HEADER - 4)?;
    let mut at = FILE_HEADER;
    loop {
        let stored = u32::from_le_bytes(file.get(at + 4..at + 8)?.try_into().ok()?) as usize;
        let end = (at + BLOCK_HEADER).checked_add(stored)?;
        let sum = crc32fast::hash(file.get(at + BLOCK_HEADER..end)?);
        file.get_mut(at + 28..at + 32)?.copy_from_slice(&sum.to_le_bytes());
        seal(file, at, at + BLOCK_HEADER - 4)?;
        at = end;
    }
}

async fn read_all(dir: &Path) -> Result<u64, StoreError> {
    let (store, _) = Store::open(dir, StoreOptions { min_free_bytes: 0, ..StoreOptions::default() })?;
    let mut reader = store.read_from(&StartAt::Start)?;
    let mut rows = 0;
    while let Some(item) = reader.try_next().await? {
        if let whimbrel_model::LogRecord::Rows(batch) = &item.record {
            assert!(batch.is_well_formed());
            rows += batch.rows.len() as u64;
        }
    }
    Ok(rows)
}

fuzz_target!(|data: &[u8]| {
    let Some((&what, file)) = data.split_first() else { return };
    let mut file = file.to_vec();
    if what % 2 == 1 {
        // What is left at the end, without a whole block, stays as it is.
        let _ = seal_all(&mut file);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // In memory where the machine has such a folder: each input is a file.
    let shm = Path::new("/dev/shm");
    let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
    let dir = dir.expect("a folder");
    std::fs::write(dir.path().join("00000000000000000001.wseg"), &file).expect("a file");
    let _ = inspect::verify(dir.path());
    let _ = runtime.block_on(read_all(dir.path()));
});
