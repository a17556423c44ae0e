//! The encoders inside an index.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::encoder::{Backend, Checkpoint, Encoder, EncoderSettings, Precision, Profile};
use crate::error::{Error, Result};
use crate::storage::catalog::{EncoderRecord, PrecisionRecord, SettingsRecord};
use crate::storage::segment::SideKey;
use crate::storage::{Models, Paths, hex};

/// The encoders that have been asked for, by fingerprint: loaded once, shared by all spaces.
#[derive(Debug, Default)]
pub(super) struct LoadedEncoders {
    encoders: Mutex<HashMap<[u8; 32], Encoder>>,
    /// What is known of encoders that need not be loaded for it.
    profiles: Mutex<HashMap<[u8; 32], Arc<Profile>>>,
}

impl LoadedEncoders {
    /// The encoder of a record, loaded from the index's own copy of the model.
    pub(super) fn get(&self, paths: &Paths, record: &EncoderRecord) -> Result<Encoder> {
        // A panic while the lock was held leaves a map that is still correct. Loading under the lock keeps several
        // threads that ask at once from loading the model several times.
        let mut loaded = self.encoders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoder) = loaded.get(&record.fingerprint) {
            return Ok(encoder.clone());
        }
        let encoder = load(paths, record)?;
        loaded.insert(record.fingerprint, encoder.clone());
        Ok(encoder)
    }

    /// Forgets the encoders that a newer state of the index does not name. Spaces that use them keep them.
    pub(super) fn retain(&self, named: &[[u8; 32]]) {
        let mut loaded = self.encoders.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|fingerprint, _| named.contains(fingerprint));
    }

    /// Refuses an encoder that would have to be loaded and whose files are no longer there.
    pub(super) fn check_there(&self, paths: &Paths, record: &EncoderRecord) -> Result<()> {
        let folder = paths.encoder(&record.fingerprint);
        if record.settings.is_none() || folder.exists() {
            return Ok(());
        }
        let loaded = self.encoders.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded.contains_key(&record.fingerprint) {
            true => Ok(()),
            false => Err(Error::EncoderRemoved { path: folder, name: record.name.clone() }),
        }
    }

    /// What is known of the encoder of a record; none of one that runs elsewhere.
    pub(super) fn profile(&self, paths: &Paths, record: &EncoderRecord) -> Result<Option<Arc<Profile>>> {
        let mut known = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(profile) = known.get(&record.fingerprint) {
            return Ok(Some(Arc::clone(profile)));
        }
        let Some(profile) = profile(paths, record)?.map(Arc::new) else { return Ok(None) };
        known.insert(record.fingerprint, Arc::clone(&profile));
        Ok(Some(profile))
    }
}

/// Loads the index's own copy of an encoder.
fn load(paths: &Paths, record: &EncoderRecord) -> Result<Encoder> {
    let folder = paths.encoder(&record.fingerprint);
    load_from(&folder, record, Backend::default()).map_err(|error| or_removed(error, &folder, record))
}

/// Loads an encoder from a copy of its model files.
pub(super) fn load_from(folder: &Path, record: &EncoderRecord, backend: Backend) -> Result<Encoder> {
    let settings = check_runs_here(record)?;
    let encoder = Encoder::open_on(folder, from_record(settings), backend)?;
    let found = *encoder.fingerprint().as_bytes();
    if found != record.fingerprint {
        return Err(Error::corrupt(
            folder,
            format!("the model with fingerprint {}", hex(&record.fingerprint)),
            hex(&found),
        ));
    }
    Ok(encoder)
}

/// The settings of an encoder that can embed texts in this process.
pub(super) fn check_runs_here(record: &EncoderRecord) -> Result<&SettingsRecord> {
    record.settings.as_ref().ok_or_else(|| Error::InvalidOption {
        option: "text",
        expected: format!("token matrices, because `{}` is declared and runs elsewhere", record.name),
        got: "a text".to_string(),
    })
}

/// What the model files inside an index say now.
pub(super) struct ModelFiles;

impl Models for ModelFiles {
    fn fingerprint(&self, folder: &Path, settings: &SettingsRecord) -> Result<[u8; 32]> {
        Ok(*Checkpoint::open(folder)?.fingerprint(&from_record(settings)).as_bytes())
    }

    fn is_plain(&self, folder: &Path) -> Result<bool> {
        Ok(Profile::read(folder)?.is_plain())
    }

    fn side_key(&self, folder: &Path, kind: &str) -> Result<SideKey> {
        Ok(Profile::read(folder)?.target_key(kind))
    }
}

/// What is known of an encoder without loading it; none of one that runs elsewhere.
fn profile(paths: &Paths, record: &EncoderRecord) -> Result<Option<Profile>> {
    let folder = paths.encoder(&record.fingerprint);
    let profile = profile_in(&folder, record).map_err(|error| or_removed(error, &folder, record))?;
    // Most files that are read here need not be there: a folder that has gone would read as that of a plain model.
    match profile.is_none() || folder.exists() {
        true => Ok(profile),
        false => Err(Error::EncoderRemoved { path: folder, name: record.name.clone() }),
    }
}

/// The same from a copy of its model files.
pub(super) fn profile_in(folder: &Path, record: &EncoderRecord) -> Result<Option<Profile>> {
    record.settings.map(|_| Profile::read(folder)).transpose()
}

/// What is to be said when reading a model failed: that the whole folder has gone, if it has. A writer removes it at once, so
/// that whoever reads it meanwhile misses a file of it first.
fn or_removed(error: Error, folder: &Path, record: &EncoderRecord) -> Error {
    match record.settings.is_none() || folder.exists() {
        true => error,
        false => Error::EncoderRemoved { path: folder.to_path_buf(), name: record.name.clone() },
    }
}

/// The catalog's record of an encoder.
pub(super) fn to_record(encoder: &Encoder) -> EncoderRecord {
    let settings = encoder.settings();
    EncoderRecord {
        fingerprint: *encoder.fingerprint().as_bytes(),
        name: encoder.name().to_string(),
        dim: encoder.dim() as u32,
        settings: Some(SettingsRecord {
            max_tokens: settings.max_tokens as u32,
            special_tokens: settings.special_tokens,
            precision: match settings.precision {
                Precision::F32 => PrecisionRecord::F32,
                Precision::Bf16 => PrecisionRecord::Bf16,
                Precision::I8 => PrecisionRecord::I8,
            },
        }),
    }
}

fn from_record(record: &SettingsRecord) -> EncoderSettings {
    EncoderSettings {
        max_tokens: record.max_tokens as usize,
        special_tokens: record.special_tokens,
        precision: precision(record),
    }
}

pub(super) fn precision(record: &SettingsRecord) -> Precision {
    match record.precision {
        PrecisionRecord::F32 => Precision::F32,
        PrecisionRecord::Bf16 => Precision::Bf16,
        PrecisionRecord::I8 => Precision::I8,
    }
}
