//! A damaged segment file in an index that is otherwise sound: opened, ranked, verified.
//!
//! Unless the input says otherwise, what vouches for the file is made right, so that the checks behind the hashes are reached:
//! begin and end marks, version, hash of the header, length; the content hash is the one that the catalog has (which opening
//! compares) or the true one, entered in the catalog too (which verifying needs).
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use redb::{ConcurrencyMode, Database, ReadableDatabase, TableDefinition};
use workindex_fuzz::{Patch, abort_on_own_panics, ask, list_index, new_folder};

const SEGMENTS: TableDefinition<u32, &[u8]> = TableDefinition::new("segments");
/// Bytes before the header archive, and after the payload.
const EDGE: usize = 64;

/// Where the payload begins: after a header archive of far less than a page.
const PAYLOAD: usize = 4096;

#[derive(Debug, Arbitrary)]
struct Damage {
    patches: Vec<(Part, Patch)>,
    length: Option<u16>,
    vouch: Vouch,
}

#[derive(Debug, Arbitrary)]
enum Part {
    Preamble,
    Header,
    Payload,
    Trailer,
}

#[derive(Debug, Arbitrary, PartialEq)]
enum Vouch {
    AsItIs,
    AsInTheCatalog,
    Truly,
}

impl Damage {
    /// The sound file, damaged.
    fn of(&self, sound: &[u8]) -> Vec<u8> {
        let mut bytes = sound.to_vec();
        let header = u32::from_le_bytes(sound[12..16].try_into().unwrap()) as usize;
        let end = bytes.len() - EDGE;
        for (part, patch) in &self.patches {
            patch.apply(match part {
                Part::Preamble => &mut bytes[..EDGE],
                Part::Header => &mut bytes[EDGE..EDGE + header],
                Part::Payload => &mut bytes[PAYLOAD..end],
                Part::Trailer => &mut bytes[end..],
            });
        }
        if let Some(length) = self.length {
            bytes.resize(length.into(), 0);
        }
        bytes
    }
}

/// The index, and what a sound state of it is.
struct World {
    root: PathBuf,
    catalog: Vec<u8>,
    segment: Vec<u8>,
    hash: [u8; 32],
    record: (u32, Vec<u8>),
    _folder: tempfile::TempDir,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = new_folder();
        let root = folder.path().join("work.index");
        list_index(&root);
        assert!(ask(&root).unwrap(), "the index is sound to begin with");
        let catalog = std::fs::read(root.join("catalog.redb")).unwrap();
        let db = Database::builder()
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open_read_only(root.join("catalog.redb"))
            .unwrap();
        let table = db.begin_read().unwrap().open_table(SEGMENTS).unwrap();
        let entries: Vec<_> = table.range::<u32>(..).unwrap().map(|entry| entry.unwrap()).collect();
        let [(number, record)] = &entries[..] else { panic!("one segment") };
        let record = (number.value(), record.value().to_vec());
        let name = std::fs::read_dir(root.join("segments")).unwrap().next().unwrap().unwrap().file_name();
        let hex = name.to_str().unwrap().as_bytes();
        let digit = |at: usize| u8::from_str_radix(std::str::from_utf8(&hex[2 * at..2 * at + 2]).unwrap(), 16).unwrap();
        let hash = std::array::from_fn(digit);
        let segment = std::fs::read(path_of(&root, &hash)).unwrap();
        World { root, catalog, segment, hash, record, _folder: folder }
    })
}

fn path_of(root: &std::path::Path, hash: &[u8; 32]) -> PathBuf {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    root.join("segments").join(format!("{hex}.seg"))
}

/// Makes right what stands before the payload.
fn vouch_for_header(bytes: &mut [u8]) {
    let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    bytes[..8].copy_from_slice(b"WIDXSEG\0");
    bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
    if let Some(archive) = bytes.get(EDGE..EDGE.saturating_add(length)) {
        let hash = blake3::hash(archive);
        bytes[16..48].copy_from_slice(hash.as_bytes());
    }
}

/// Makes right what stands after the payload, with a hash.
fn end(bytes: &mut [u8], hash: &[u8; 32]) {
    let length = bytes.len();
    let trailer = &mut bytes[length - EDGE..];
    trailer[..32].copy_from_slice(hash);
    trailer[32..40].copy_from_slice(&(length as u64).to_le_bytes());
    trailer[40..56].fill(0);
    trailer[56..].copy_from_slice(b"WIDXEND\0");
}

/// Enters another content hash in the catalog.
fn rename_in_catalog(world: &World, hash: &[u8; 32]) {
    let mut record = world.record.1.clone();
    let at = record.windows(32).position(|window| *window == world.hash).expect("a record with the hash");
    record[at..at + 32].copy_from_slice(hash);
    let mut builder = Database::builder();
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    let txn = builder.open(world.root.join("catalog.redb")).unwrap().begin_write().unwrap();
    txn.open_table(SEGMENTS).unwrap().insert(world.record.0, &record[..]).unwrap();
    txn.commit().unwrap();
}

/// What takes time is made before inputs are timed.
fn prepare() {
    abort_on_own_panics();
    let _ = world();
}

fuzz_target!(init: prepare(), |damage: Damage| {
    let world = world();
    let mut bytes = damage.of(&world.segment);
    let mut hash = world.hash;
    if damage.vouch != Vouch::AsItIs && bytes.len() >= 2 * EDGE {
        vouch_for_header(&mut bytes);
        if damage.vouch == Vouch::Truly {
            hash = *blake3::hash(&bytes[..bytes.len() - EDGE]).as_bytes();
            rename_in_catalog(world, &hash);
        }
        end(&mut bytes, &hash);
    }
    let path = path_of(&world.root, &hash);
    std::fs::write(&path, &bytes).unwrap();
    let _ = ask(&world.root);
    std::fs::remove_file(&path).unwrap();
    if hash != world.hash {
        std::fs::write(world.root.join("catalog.redb"), &world.catalog).unwrap();
    }
});
