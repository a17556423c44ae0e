//! A catalog copied into another: what one snapshot has, without the pages that are free.

use redb::{Key, ReadTransaction, TableDefinition, Value};

use super::tables::{self, In, Tables, failed, guarded};
use super::write::CatalogWrite;
use crate::error::Result;

/// Copies all tables of a snapshot into a new catalog.
pub(crate) fn copy(from: &In<'_, ReadTransaction>, to: &CatalogWrite<'_>) -> Result<()> {
    tables::each_table!(table(from, to));
    Ok(())
}

fn table<K: Key + 'static, V: Value + 'static>(
    from: &In<'_, ReadTransaction>,
    to: &CatalogWrite<'_>,
    table: TableDefinition<'static, K, V>,
) -> Result<()> {
    guarded(to.path, || {
        let mut copy = to.txn.open_table(table).map_err(failed(to.path))?;
        from.entries(table, .., |key, value| copy.insert(key, value).map(drop).map_err(failed(to.path)))?;
        Ok(())
    })
}
