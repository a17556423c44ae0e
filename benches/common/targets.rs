//! The texts of the target spaces. Each space begins with the texts of the next smaller one.

use workindex::{Kind, Release};

use super::lists::{self, DistinctTexts};
use super::{Queries, Sources};

/// Targets of the middle space: the ESCO skills with the other labels of ESCO and the short labels of O*NET.
const MEDIUM: usize = 34_000;
/// Targets of the large space: those with all alternative labels of all releases, other lists, and descriptions last.
const LARGE: usize = 300_000;

/// The texts of the largest space, and how many of them each space has.
pub struct Nested {
    pub texts: Vec<String>,
    pub sizes: Vec<usize>,
}

/// Gathers the texts: skills first, then the other lists until a size is reached or there are no more. A query is no
/// target unless a release has it as a label.
pub fn nested(sources: &Sources, queries: &Queries) -> Nested {
    let esco = sources.esco_releases();
    let mut texts = DistinctTexts::default();
    texts.add(lists::labels(&esco[0], &Kind::SKILL));
    let mut sizes = vec![texts.len()];
    let onet = sources.onet_releases();
    add_labels(&mut texts, &esco, &onet);
    sizes.push(texts.len().min(MEDIUM));
    let mut texts = texts.finish();
    if sources.large {
        texts = with_other_lists(texts, sources, &esco, &onet, queries);
        sizes.push(texts.len());
    }
    texts.truncate(sizes.iter().copied().max().unwrap_or_default());
    Nested { texts, sizes }
}

/// The preferred labels of all releases; those of O*NET's kinds from the shortest to the longest.
fn add_labels(texts: &mut DistinctTexts, esco: &[Release], onet: &[Release]) {
    for release in esco {
        release.kinds().into_iter().for_each(|kind| texts.add(lists::labels(release, kind)));
    }
    for release in onet {
        for kind in [Kind::OCCUPATION, Kind::ACTIVITY, Kind::TECHNOLOGY, Kind::TOOL, Kind::TASK] {
            texts.add(lists::labels(release, &kind));
        }
    }
}

fn with_other_lists(
    labels: Vec<String>,
    sources: &Sources,
    esco: &[Release],
    onet: &[Release],
    queries: &Queries,
) -> Vec<String> {
    let mut texts = DistinctTexts::default();
    texts.add(labels);
    esco.iter().chain(onet).for_each(|release| texts.add(lists::alternative_labels(release)));
    sources.others.iter().for_each(|column| texts.add(lists::column(column)));
    let mut rest = DistinctTexts::without(queries.texts());
    sources.titles.iter().for_each(|column| rest.add(lists::column(column)));
    texts.add(rest.finish());
    esco.iter().chain(onet).for_each(|release| texts.add(lists::descriptions(release)));
    let mut texts = texts.finish();
    eprintln!("{} distinct texts for the large space", texts.len());
    texts.truncate(LARGE);
    texts
}
