//! Records of catalog version 1, which did not say how an encoder's linear layers are computed: it was always f32. Read by
//! upgrades only.

use rkyv::{Archive, Deserialize};

use super::codec::from_archive;
use super::read::{CatalogRead, Numbered};
use super::tables::{self, Tables};
use super::{CatalogWrite, EncoderRecord, PrecisionRecord, SettingsRecord};
use crate::error::Result;

#[derive(Debug, Archive, Deserialize)]
struct OldEncoderRecord {
    fingerprint: [u8; 32],
    name: String,
    dim: u32,
    settings: Option<OldSettingsRecord>,
}

#[derive(Debug, Archive, Deserialize)]
struct OldSettingsRecord {
    max_tokens: u32,
    special_tokens: bool,
}

impl OldEncoderRecord {
    fn upgraded(self) -> EncoderRecord {
        let settings = |old: OldSettingsRecord| SettingsRecord {
            max_tokens: old.max_tokens,
            special_tokens: old.special_tokens,
            precision: PrecisionRecord::F32,
        };
        let Self { fingerprint, name, dim, settings: old } = self;
        EncoderRecord { fingerprint, name, dim, settings: old.map(settings) }
    }
}

/// The encoders of a catalog of version 1.
pub(crate) fn old_encoders(catalog: &impl Tables) -> Result<Vec<Numbered<EncoderRecord>>> {
    let decode = |bytes: &[u8]| from_archive::<OldEncoderRecord>(bytes).map(OldEncoderRecord::upgraded);
    catalog.records(tables::ENCODERS, "an encoder record of version 1", decode)
}

/// Writes what the encoders' records say in the format of today.
pub(crate) fn upgrade_encoders(catalog: &CatalogWrite<'_>) -> Result<()> {
    for (number, record) in old_encoders(catalog)? {
        catalog.replace_encoder(number, &record)?;
    }
    Ok(())
}
