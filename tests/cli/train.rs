//! `workindex train`.

use crate::data_folder::data_folder;
use crate::support::{fails, ok, run, stderr, tiny};

#[test]
fn a_model_is_trained_and_judged() {
    let (data, folder) = (data_folder(), tempfile::tempdir().unwrap());
    let data = data.path().display().to_string();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (config, out) = (path("run.toml"), path("out"));
    let sentences = "sentences = \"skill_extraction/skillskape_dev.csv\"";
    let text = format!(
        "[data]\n{sentences}\n[batch]\nskills = 12\n[optimizer]\nsteps = 10\n[validation]\nevery = 0\nsets = [\"job-normalisation\"]\ninterpolation = [1.0]"
    );
    std::fs::write(&config, &text).unwrap();
    let args = ["train", &config, "--encoder", &tiny(), "--data", &data, "--out", &out];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("held out:") && said.contains("step 10: loss"), "{said}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("step 10, 100 % of the way: MAP") && printed.contains("the model is in"), "{printed}");
    let model = folder.path().join("out/model").display().to_string();
    let judged = ok(&[
        "eval",
        "--data",
        &data,
        "--encoder",
        &model,
        "--task",
        "job2skill",
        "--held-out",
        "--out",
        &path("judged"),
    ]);
    assert!(judged.contains("job2skill"), "{judged}");
    let mean = path("mean");
    let said = ok(&["encoder", "mix", &format!("{model}=0.5"), &format!("{}=0.5", tiny()), "--out", &mean]);
    assert!(said.contains("the mean of 2 models is in"), "{said}");
    assert!(ok(&["encoder", "info", &mean]).contains("fingerprint"));
    assert!(fails(1, &["encoder", "mix", &model, &tiny(), "--out", &mean]).contains("already exists"));
    assert!(fails(2, &["encoder", "mix", &format!("{model}=1"), &tiny(), "--out", &mean]).contains("a share"));
    assert!(
        fails(1, &["encoder", "mix", &format!("{model}=1"), &format!("{model}=1"), "--out", &mean])
            .contains("sum to 2")
    );
    // There is a model already, and a folder is for one run.
    assert!(fails(1, &args).contains("already exists"));
    std::fs::write(&config, text.replace("steps = 10", "steps = 11")).unwrap();
    assert!(fails(1, &args).contains("the state of another run"));
    std::fs::write(&config, &text).unwrap();
    let seeded = |seed| {
        ["train", &config, "--seed", seed, "--encoder", &tiny(), "--data", &data, "--out", &out].map(str::to_string)
    };
    let fails_seeded = |seed| fails(1, &seeded(seed).iter().map(String::as_str).collect::<Vec<_>>());
    assert!(fails_seeded("1").contains("already exists") && fails_seeded("2").contains("the state of another run"));
    std::fs::write(&config, "[optimizer]\nstep = 1").unwrap();
    assert!(fails(1, &args).contains("unknown field `step`"));
    fails(2, &["train", &config]);
    assert!(ok(&["train", "--print-config"]).contains("learning_rate = "));
}
