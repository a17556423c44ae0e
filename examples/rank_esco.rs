//! Builds an index of an ESCO release, or opens it, and ranks its skills for a job title.
//!
//! ```sh
//! cargo run --release --example rank_esco -- MODEL_DIR esco.index "Senior data engineer" ESCO.zip [RELATIONS.zip]
//! ```

use std::path::Path;
use std::time::Instant;

use workindex::{Encoder, IngestOptions, Monitor, RankOptions, WorkIndex, esco};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, index, title, sources @ ..] = arguments.as_slice() else {
        return Err("usage: rank_esco MODEL_DIR INDEX TITLE [ESCO_PATH...]".into());
    };
    if !Path::new(index).exists() {
        let start = Instant::now();
        let (release, report) = esco::read(sources, &esco::Options::default(), &Monitor::silent())?;
        println!("read {} concepts of ESCO {} in {:.1?}", release.concepts().len(), release.version(), start.elapsed());
        for defect in &report.defects {
            println!("  {}: {} {}", defect.file, defect.count, defect.kind.as_str());
        }
        let mut writer = WorkIndex::create(index, &Encoder::open(model.as_ref())?)?;
        let done = writer.ingest(&release, &IngestOptions::default(), &Monitor::silent())?;
        writer.commit()?;
        println!("embedded {} texts; {:.1?} in all", done.embedded, start.elapsed());
    }

    let start = Instant::now();
    let skills = WorkIndex::open(index)?.space("esco/skill/en")?;
    println!("opened {} with {} concepts in {:.1?}", skills.name(), skills.len(), start.elapsed());
    let ranking = skills.rank(title, &RankOptions::top(10))?;
    println!("first result after {:.1?}", start.elapsed());
    for hit in &ranking {
        println!("{:3} {:.4} {}", hit.rank, hit.score, hit.label);
    }
    let start = Instant::now();
    skills.rank(title, &RankOptions::top(10))?;
    println!("once more in {:.1?}", start.elapsed());
    Ok(())
}
