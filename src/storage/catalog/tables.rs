//! The tables of the catalog, and reading them from a snapshot and from a write transaction alike.

use std::ops::RangeBounds;
use std::path::Path;

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, TableError, Value, WriteTransaction};

use crate::error::{Error, Result};

type Bytes = &'static [u8];
type Table<K, V> = TableDefinition<'static, K, V>;

/// Facts about the index: [`FORMAT`], [`GENERATION`], [`ENCODER`].
pub(crate) const META: Table<&str, u64> = TableDefinition::new("meta");
/// Key of [`META`]: version of the catalog's format.
pub(crate) const FORMAT: &str = "format";
/// Key of [`META`]: number of commits.
pub(crate) const GENERATION: &str = "generation";
/// Key of [`META`]: number of the encoder that new releases are embedded with.
pub(crate) const ENCODER: &str = "encoder";

/// Encoder number → `EncoderRecord`.
pub(crate) const ENCODERS: Table<u32, Bytes> = TableDefinition::new("encoders");
/// Segment number → `SegmentRecord`.
pub(crate) const SEGMENTS: Table<u32, Bytes> = TableDefinition::new("segments");
/// Encoder number and text hash → segment number (upper 32 bits) and form (lower 32 bits).
pub(crate) const EMBEDDINGS: Table<(u32, &[u8; 32]), u64> = TableDefinition::new("embeddings");
/// Release number (in order of ingestion) → `ReleaseRecord`.
pub(crate) const RELEASES: Table<u32, Bytes> = TableDefinition::new("releases");
/// Release number and kind → `TargetTable`.
pub(crate) const SPACES: Table<(u32, &str), Bytes> = TableDefinition::new("spaces");
/// Release number, kind and block → compressed list of `Details`.
pub(crate) const DETAILS: Table<(u32, &str, u32), Bytes> = TableDefinition::new("details");
/// Release number, kind and attribute → compressed `AttributeColumn`.
pub(crate) const ATTRIBUTES: Table<(u32, &str, &str), Bytes> = TableDefinition::new("attributes");
/// Release number → compressed `RelationColumns`.
pub(crate) const RELATIONS: Table<u32, Bytes> = TableDefinition::new("relations");
/// Release number and kind → `AliasList`.
pub(crate) const ALIASES: Table<(u32, &str), Bytes> = TableDefinition::new("aliases");

/// Calls a function, generic over keys and values, with each table in turn; the results in a list. The only list of all tables.
macro_rules! each_table {
    ($visit:ident($($argument:expr),*)) => {{
        use $crate::storage::catalog::tables::{
            ALIASES, ATTRIBUTES, DETAILS, EMBEDDINGS, ENCODERS, META, RELATIONS, RELEASES, SEGMENTS, SPACES,
        };
        [
            $visit($($argument,)* META)?,
            $visit($($argument,)* ENCODERS)?,
            $visit($($argument,)* SEGMENTS)?,
            $visit($($argument,)* EMBEDDINGS)?,
            $visit($($argument,)* RELEASES)?,
            $visit($($argument,)* SPACES)?,
            $visit($($argument,)* DETAILS)?,
            $visit($($argument,)* ATTRIBUTES)?,
            $visit($($argument,)* RELATIONS)?,
            $visit($($argument,)* ALIASES)?,
        ]
    }};
}
pub(crate) use each_table;

/// Says in this crate's words what redb's errors mean for the catalog at a path.
pub(crate) fn failed<E: Into<redb::Error>>(path: &Path) -> impl FnOnce(E) -> Error + use<'_, E> {
    |source| match source.into() {
        redb::Error::Corrupted(problem) => corrupt(path, problem),
        redb::Error::Io(source) if is_damage(&source) => corrupt(path, source.to_string()),
        redb::Error::Io(source) => Error::io("use the catalog", path)(source),
        error @ (redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }) => corrupt(path, error.to_string()),
        source => Error::Catalog { path: path.to_path_buf(), source: Box::new(source) },
    }
}

fn corrupt(path: &Path, problem: impl Into<String>) -> Error {
    Error::corrupt(path, "a sound catalog", problem)
}

/// Errors of the operating system that a catalog of the wrong length or content causes.
fn is_damage(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}

/// Runs an operation of redb, which may panic on a file that was damaged since it was written: page checksums are
/// compared only when redb repairs or `verify` asks, and a plain read trusts the pages. Here such a panic becomes [`Error::Corrupt`].
///
/// The panic hook prints it all the same. A hook of our own would be one for the whole process, which is the application's;
/// and comparing all pages first, so that no panic comes, would make opening as slow as reading everything.
///
/// Nothing half-done is used afterwards: a reader has changed nothing, and a writer that gets an error gives its
/// transaction up.
pub(crate) fn guarded<T>(path: &Path, operation: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(operation));
    done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(corrupt(path, text.unwrap_or("pages that cannot be read").to_string()))
    })
}

/// Reading the tables of a transaction. All tables are there from the start, so that a missing one is damage.
pub(crate) trait Tables {
    /// The catalog's path, for errors.
    fn path(&self) -> &Path;

    /// Reads one value.
    fn value<'k, K: Key + 'static, V: Value + 'static, T>(
        &self,
        table: Table<K, V>,
        key: K::SelfType<'k>,
        read: impl FnOnce(V::SelfType<'_>) -> T,
    ) -> Result<Option<T>>;

    /// Reads all entries in a range of keys, in order.
    fn entries<K: Key + 'static, V: Value + 'static>(
        &self,
        table: Table<K, V>,
        range: impl RangeBounds<K::SelfType<'static>> + 'static,
        read: impl FnMut(K::SelfType<'_>, V::SelfType<'_>) -> Result<()>,
    ) -> Result<()>;
}

/// A transaction of the catalog at a path.
pub(crate) struct In<'a, T> {
    pub(crate) path: &'a Path,
    pub(crate) txn: &'a T,
}

fn existing<T>(path: &Path, table: Result<T, TableError>) -> Result<T> {
    table.map_err(|error| match error {
        TableError::TableDoesNotExist(name) => Error::corrupt(path, format!("the table `{name}`"), "none"),
        error => failed(path)(error),
    })
}

macro_rules! tables_of {
    ($transaction:ty) => {
        impl Tables for In<'_, $transaction> {
            fn path(&self) -> &Path {
                self.path
            }

            fn value<'k, K: Key + 'static, V: Value + 'static, T>(
                &self,
                table: Table<K, V>,
                key: K::SelfType<'k>,
                read: impl FnOnce(V::SelfType<'_>) -> T,
            ) -> Result<Option<T>> {
                guarded(self.path, || {
                    let table = existing(self.path, self.txn.open_table(table))?;
                    let guard = table.get(key).map_err(failed(self.path))?;
                    Ok(guard.map(|guard| read(guard.value())))
                })
            }

            fn entries<K: Key + 'static, V: Value + 'static>(
                &self,
                table: Table<K, V>,
                range: impl RangeBounds<K::SelfType<'static>> + 'static,
                mut read: impl FnMut(K::SelfType<'_>, V::SelfType<'_>) -> Result<()>,
            ) -> Result<()> {
                guarded(self.path, || {
                    let table = existing(self.path, self.txn.open_table(table))?;
                    for entry in table.range::<K::SelfType<'static>>(range).map_err(failed(self.path))? {
                        let (key, value) = entry.map_err(failed(self.path))?;
                        read(key.value(), value.value())?;
                    }
                    Ok(())
                })
            }
        }
    };
}

tables_of!(ReadTransaction);
tables_of!(WriteTransaction);
