//! Published and measured values are met again (real data, pretrained encoder).

use workindex::Monitor;
use workindex::workbench::{Baseline, Data, DataOptions, Evaluation, Metric, Run, SetName, Split, System};
use workindex::{Encoder, Forms};

use crate::support::whole;
use crate::{common, data};

fn run(encoder: Option<&Encoder>, systems: Vec<System>, sets: &[&str]) -> Option<Run> {
    let root = data::path("workbench")?.parent()?.to_path_buf();
    let (data, out) = (Data::open(root, DataOptions::default()).unwrap(), tempfile::tempdir().unwrap());
    let sets: Vec<SetName> = sets.iter().map(|set| set.parse().unwrap()).collect();
    let mut evaluation = Evaluation::new(&data, out.path()).systems(systems).sets(&sets);
    if let Some(encoder) = encoder {
        evaluation = evaluation.encoder(encoder);
    }
    Some(evaluation.selection(whole(Split::Validation)).run(&Monitor::silent(), &mut |_| {}).unwrap())
}

fn value(run: &Run, set: &str, system: usize, metric: Metric) -> f64 {
    let record = run.records.iter().find(|record| record.head.set.to_string() == set).unwrap();
    metric.mean(record.ranks(system).unwrap())
}

/// The published values of title similarity, which have two digits. Ties decide some of BM25's.
#[test]
fn lexical_baselines_have_their_published_values() {
    let systems = [Baseline::TfIdfChar, Baseline::Bm25].map(System::Lexical).to_vec();
    let Some(run) = run(None, systems, &["title-similarity"]) else { return };
    let published = [(0, [0.34, 0.51, 0.73]), (1, [0.28, 0.45, 0.71])];
    for (system, values) in published {
        for (metric, published) in [Metric::Map, Metric::RPrecision(10), Metric::Mrr].into_iter().zip(values) {
            let value = value(&run, "title-similarity", system, metric);
            assert!((value - published).abs() < 0.0101, "{system}, {metric}: {value}, published {published}");
        }
    }
}

/// MiniLM's values, measured before in PyTorch (MAP, soft late interaction at 0.1 in both directions) and with other code of ours.
#[test]
fn an_untrained_encoder_has_its_measured_values() {
    let Some(encoder) = common::pretrained() else { return };
    let rule = System::LateInteraction { rule: Some(workindex::Rule::default()), forms: Forms::Preferred };
    let sets = ["title-similarity", "skill-extraction/house", "skill-extraction/tech"];
    let Some(run) = run(Some(&encoder), vec![rule], &sets) else { return };
    let measured =
        [("title-similarity", 0.4965), ("skill-extraction/house", 0.4918), ("skill-extraction/tech", 0.5939)];
    for (set, measured) in measured {
        let value = value(&run, set, 0, Metric::Map);
        assert!((value - measured).abs() < 0.002, "{set}: {value}, measured before {measured}");
    }
}
