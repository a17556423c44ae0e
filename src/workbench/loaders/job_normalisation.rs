//! Job normalisation: titles of vacancies, each with the URI of an occupation (the JobBERT evaluation set).

use std::collections::HashMap;

use super::{Job, Loaded, name_of, no_esco, of_kind, sorted_targets};
use crate::error::Result;
use crate::ontology::Kind;
use crate::ontology::source::Dialect;
use crate::workbench::data::{Header, each_row};

/// The release that the titles were annotated with.
const ORIGINAL: &str = "1.0.5";

const COLUMNS: Header<'_> = Header::Named(&[&["vacancyTitle", "vacancy_job_title"], &["conceptUri", "esco_URI"]]);

pub(super) fn load(job: &Job<'_>) -> Result<Loaded> {
    let path = match job.annotations(&format!("job_normalization/titles_{}.csv", job.selection.split)) {
        Ok(path) => path,
        Err(looked_for) => return Ok(Loaded::Missing(looked_for)),
    };
    let Some(version) = job.data.esco_version(Some(ORIGINAL)) else { return Ok(no_esco()) };
    let release = job.data.esco(&version, job.monitor)?;
    let mut builder = job.builder(Kind::OCCUPATION.as_str(), Kind::OCCUPATION);
    sorted_targets(&mut builder, &release, &Kind::OCCUPATION);
    let labels: HashMap<&str, &str> =
        of_kind(&release, &Kind::OCCUPATION).map(|concept| (concept.id.as_str(), concept.label.as_str())).collect();
    let mut unknown = 0;
    each_row(&path, Dialect::Comma, &COLUMNS, job.monitor, |fields, _| {
        let &[title, uri] = fields else { return Ok(()) };
        match labels.get(uri).and_then(|label| builder.position(label)) {
            Some(target) => builder.query(title, [target]),
            None => unknown += 1,
        }
        Ok(())
    })?;
    builder.leave_out("titles of an occupation that the release lacks", unknown);
    let origin = builder.origin();
    origin.files = vec![job.data.relative(&path), format!("esco/{version}")];
    origin.release = Some(name_of(&release));
    origin.mapping = (version != ORIGINAL).then(|| format!("annotated with ESCO {ORIGINAL}, mapped through URIs"));
    Ok(Loaded::Ready(Box::new(builder.finish())))
}
