//! Where the benches read: real data when the environment names it, else the fixtures of this repository.

use std::path::{Path, PathBuf};

use workindex::{Monitor, Release, esco, onet};

/// One column of a table of texts.
pub struct Column {
    pub path: PathBuf,
    pub delimiter: u8,
    pub index: usize,
    pub header: bool,
}

/// The releases, lists and the encoder that are read.
pub struct Sources {
    /// A model directory.
    pub encoder: PathBuf,
    /// Folders of ESCO releases, the newest first.
    esco: Vec<PathBuf>,
    /// Folders of O*NET releases, the newest first.
    onet: Vec<PathBuf>,
    /// Other lists of labels and sentences.
    pub others: Vec<Column>,
    /// Titles and sentences to query with; without any, the fixtures' own and those of the release.
    pub titles: Vec<Column>,
    pub sentences: Vec<Column>,
    /// Whether the 300,000 targets are asked for (`WORKINDEX_BENCH_LARGE=1`).
    pub large: bool,
}

impl Sources {
    /// `WORKINDEX_DATA` and `WORKINDEX_ENCODER`, or the fixtures, whose figures say nothing about real use.
    pub fn find() -> Self {
        match from_env("WORKINDEX_DATA").zip(from_env("WORKINDEX_ENCODER")) {
            Some((data, encoder)) => Self::real(&data, encoder),
            None => Self::fixtures(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")),
        }
    }

    fn real(data: &Path, encoder: PathBuf) -> Self {
        let column = |path: &str, delimiter, index, header| Column { path: data.join(path), delimiter, index, header };
        let others = vec![
            column("esco/1.0-partial/skills_en-us.csv", b',', 4, true),
            column("esco/1.0-partial/skills_es.csv", b',', 4, true),
            column("esco/1.0-partial/skills_es.csv", b',', 5, true),
            column("workbench/melo_usa_en/corpus_elements.tsv", b'\t', 1, false),
            column("workbench/title_similarity/corpus_elements", b'\t', 1, true),
            column("workbench/skill_extraction/skillskape_train.csv", b',', 1, true),
        ];
        Self {
            encoder,
            esco: ["1.1.1", "1.1.0"].map(|version| data.join("esco").join(version)).to_vec(),
            onet: ["29.0", "27.0"].map(|version| data.join("onet").join(version)).to_vec(),
            others,
            titles: vec![column("workbench/job_normalization/titles_validation.csv", b',', 1, true)],
            sentences: vec![column("workbench/skill_extraction/skillskape_dev.csv", b',', 1, true)],
            large: std::env::var_os("WORKINDEX_BENCH_LARGE").is_some_and(|value| value == "1"),
        }
    }

    fn fixtures(fixtures: &Path) -> Self {
        let lines = |name: &str| Column { path: fixtures.join(name), delimiter: b'\t', index: 0, header: false };
        Self {
            encoder: fixtures.join("encoder/tiny-bert"),
            esco: ["1.1.0", "1.0.0"].map(|version| fixtures.join("mini-esco").join(version)).to_vec(),
            onet: ["29.0", "27.0"].map(|version| fixtures.join("mini-onet").join(version)).to_vec(),
            others: Vec::new(),
            titles: vec![lines("queries/titles.txt")],
            sentences: vec![lines("queries/sentences.txt")],
            large: false,
        }
    }

    /// The newest ESCO release.
    pub fn newest_esco(&self) -> Release {
        read_esco(&self.esco[0])
    }

    /// All ESCO releases that are there, the newest first.
    pub fn esco_releases(&self) -> Vec<Release> {
        self.esco.iter().filter(|folder| folder.is_dir()).map(|folder| read_esco(folder)).collect()
    }

    /// All O*NET releases that are there, the newest first.
    pub fn onet_releases(&self) -> Vec<Release> {
        self.onet.iter().filter(|folder| folder.is_dir()).map(|folder| read_onet(folder)).collect()
    }
}

fn from_env(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_dir())
}

fn version_of(folder: &Path) -> Option<String> {
    folder.file_name().map(|name| name.to_string_lossy().into_owned())
}

fn read_esco(folder: &Path) -> Release {
    let options = esco::Options { version: version_of(folder), ..Default::default() };
    esco::read(&archives(folder), &options, &Monitor::silent()).expect("a readable ESCO release").0
}

fn read_onet(folder: &Path) -> Release {
    let options = onet::Options { version: version_of(folder) };
    onet::read(&[folder], &options, &Monitor::silent()).expect("a readable O*NET release").0
}

/// The archives in a folder, or the folder itself.
fn archives(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").filter_map(|entry| Some(entry.ok()?.path()));
    let mut zips: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "zip")).collect();
    zips.sort();
    if zips.is_empty() { vec![folder.to_path_buf()] } else { zips }
}
