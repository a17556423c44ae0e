//! A damaged catalog: opened, asked for everything, verified; then opened for writing, ingested into, committed, compacted.
//!
//! Either bytes of the file are changed, which tries redb and what catches its panics; or values are, through redb, which gets
//! behind its checksums (and behind the compression of those that are compressed) to the archives.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use redb::{ConcurrencyMode, Database, Key, ReadableTable, TableDefinition};
use workindex::{Error, Monitor, TokenMatrix, WorkIndex};
use workindex_fuzz::{Patch, abort_on_own_panics, ask, copy_folder, list_index, list_release, matrix_of, new_folder};

#[derive(Debug, Arbitrary)]
enum Damage {
    File { patches: Vec<Patch>, length: Option<u32> },
    Values(Vec<Change>),
}

/// A change of one value.
#[derive(Debug, Arbitrary)]
struct Change {
    table: u8,
    entry: u8,
    patches: Vec<Patch>,
    resize: Option<i8>,
    remove: bool,
    number: u64,
}

impl Change {
    fn of_bytes(&self, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        self.patches.iter().for_each(|patch| patch.apply(&mut bytes));
        let length = bytes.len().saturating_add_signed(self.resize.unwrap_or(0).into());
        bytes.resize(length, self.table);
        (!self.remove).then_some(bytes)
    }

    /// As [`of_bytes`](Self::of_bytes), of what is inside the length and the frame.
    fn of_compressed(&self, value: Vec<u8>) -> Option<Vec<u8>> {
        let (length, frame) = value.split_first_chunk::<4>()?;
        let raw = zstd::bulk::decompress(frame, u32::from_le_bytes(*length) as usize).ok()?;
        let raw = self.of_bytes(raw)?;
        let mut out = (raw.len() as u32).to_le_bytes().to_vec();
        out.extend(zstd::bulk::compress(&raw, 1).ok()?);
        Some(out)
    }

    fn apply(&self, txn: &redb::WriteTransaction) {
        let archive = |value: &[u8]| self.of_bytes(value.to_vec());
        let compressed = |value: &[u8]| self.of_compressed(value.to_vec());
        match self.table % 10 {
            0 => change_values::<u32>(txn, "encoders", self.entry, archive),
            1 => change_values::<u32>(txn, "segments", self.entry, archive),
            2 => change_values::<u32>(txn, "releases", self.entry, archive),
            3 => change_values::<(u32, &str)>(txn, "spaces", self.entry, archive),
            4 => change_values::<(u32, &str, u32)>(txn, "details", self.entry, compressed),
            5 => change_values::<(u32, &str, &str)>(txn, "attributes", self.entry, compressed),
            6 => change_values::<u32>(txn, "relations", self.entry, compressed),
            7 => change_values::<(u32, &str)>(txn, "aliases", self.entry, archive),
            8 => change_numbers::<&str>(txn, "meta", self.entry, self),
            _ => change_numbers::<(u32, &[u8; 32])>(txn, "embeddings", self.entry, self),
        }
    }
}

fn change_values<K: Key + 'static>(
    txn: &redb::WriteTransaction,
    name: &'static str,
    entry: u8,
    change: impl Fn(&[u8]) -> Option<Vec<u8>>,
) {
    let mut table = txn.open_table(TableDefinition::<K, &[u8]>::new(name)).unwrap();
    let mut at = 0;
    let mut new = None;
    table
        .retain(|_, value| {
            at += 1;
            if at != entry as usize + 1 {
                return true;
            }
            new = change(value);
            new.is_some()
        })
        .unwrap();
    let Some(new) = new else { return };
    let entries = table.range::<K::SelfType<'_>>(..).unwrap();
    let key = entries.skip(entry.into()).next().map(|found| found.unwrap().0);
    // A copy of the key, because the table is changed under it.
    let Some(key) = key.map(|key| K::as_bytes(&key.value()).as_ref().to_vec()) else { return };
    table.insert(K::from_bytes(&key), &new[..]).unwrap();
}

fn change_numbers<K: Key + 'static>(txn: &redb::WriteTransaction, name: &'static str, entry: u8, change: &Change) {
    let mut table = txn.open_table(TableDefinition::<K, u64>::new(name)).unwrap();
    let entries = table.range::<K::SelfType<'_>>(..).unwrap();
    let key = entries.skip(entry.into()).next().map(|found| found.unwrap().0);
    let Some(key) = key.map(|key| K::as_bytes(&key.value()).as_ref().to_vec()) else { return };
    match change.remove {
        true => drop(table.remove(K::from_bytes(&key)).unwrap()),
        false => drop(table.insert(K::from_bytes(&key), change.number).unwrap()),
    }
}

/// The sound index that inputs damage copies of.
fn sound() -> &'static Path {
    static SOUND: OnceLock<(PathBuf, tempfile::TempDir)> = OnceLock::new();
    let (root, _) = SOUND.get_or_init(|| {
        let folder = new_folder();
        let root = folder.path().join("work.index");
        list_index(&root);
        assert!(ask(&root).unwrap(), "the index is sound to begin with");
        (root, folder)
    });
    root
}

fn damage_values(catalog: &Path, changes: &[Change]) {
    let mut builder = Database::builder();
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    let txn = builder.open(catalog).unwrap().begin_write().unwrap();
    changes.iter().for_each(|change| change.apply(&txn));
    txn.commit().unwrap();
}

fn write(root: &Path) -> Result<(), Error> {
    let mut writer = WorkIndex::writer(root)?;
    let labels = ["weld", "paint"];
    let matrices: Vec<TokenMatrix> = labels.iter().copied().map(matrix_of).collect();
    writer.ingest_matrices(&list_release("3", &labels), &matrices, &Monitor::silent())?;
    writer.commit()?;
    writer.drop_release("list@1/skill/en")?;
    writer.commit()?;
    writer.compact(&Monitor::silent())?;
    Ok(())
}

/// What takes time is made before inputs are timed.
fn prepare() {
    abort_on_own_panics();
    let _ = sound();
}

fuzz_target!(init: prepare(), |input: (Damage, u8)| {
    let (damage, writes) = input;
    let folder = new_folder();
    let root = folder.path().join("work.index");
    copy_folder(sound(), &root);
    let catalog = root.join("catalog.redb");
    match &damage {
        Damage::File { patches, length } => {
            let mut bytes = std::fs::read(&catalog).unwrap();
            patches.iter().for_each(|patch| patch.apply(&mut bytes));
            if let Some(length) = length {
                let length = *length as usize % (2 * bytes.len());
                bytes.resize(length, 0);
            }
            std::fs::write(&catalog, bytes).unwrap();
        }
        Damage::Values(changes) => damage_values(&catalog, changes),
    }
    let _ = ask(&root);
    // Writing takes ten times as long.
    if writes % 4 == 0 {
        let _ = write(&root);
    }
});
