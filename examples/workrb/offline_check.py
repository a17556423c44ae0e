"""Checks workindex as a model of WorkRB, without a network: exit status 0 if all is well, 1 if not.

    python offline_check.py --encoder minilm [--command target/release/workindex] [--rule …]

WorkRB's own `evaluate()` runs three ranking tasks and a classification task made of the texts below, with
`WorkIndexModel`. Beside it, `workindex score` is called directly. Checked is

* that the scores WorkRB saw (those it saves with `save_rankings`) are those of the direct call, to the bit: the right
  texts, in the right order, as the right kinds;
* that WorkRB's metrics are those computed here from the direct call's matrix;
* what the command promises about texts that occur twice, hold line breaks, or are empty.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import workrb
from workrb.tasks.abstract.base import LabelType
from workrb.tasks.abstract.classification_base import (
    ClassificationDataset,
    ClassificationTaskGroup,
    MultiLabelClassificationTask,
)
from workrb.tasks.abstract.ranking_base import RankingDataset, RankingTask, RankingTaskGroup
from workrb.types import DatasetSplit, Language, ModelInputType

from run import add_model_options, model_of
from workindex_workrb import WorkIndexError, WorkIndexModel

SKILLS = [
    "weld stainless steel",
    "read engineering drawings",
    "build data pipelines",
    "query databases with SQL",
    "provide wound care",
    "administer medication",
    "teach mathematics",
    "assess students",
    "bake bread",
    "negotiate with suppliers",
    "keep accounts",
    "drive a lorry",
]
TITLES = {
    "Senior data engineer": [2, 3],
    "Pipe welder": [0, 1],
    "Registered nurse": [4, 5],
    "Maths teacher": [6, 7],
    "Truck driver": [11],
    "Bäcker": [8],
}
SENTENCES = {
    "You will weld stainless steel pipes from technical drawings.": [0, 1],
    "Experience with SQL and ETL is a must.": [2, 3],
    "You dress wounds and hand out medicines on the ward.": [4, 5],
    "You buy flour and yeast, and talk prices with the mill.": [8, 9],
}
BRIEFS = {
    "Data platform\n\nWe move our reports to the cloud.\nskills: SQL, Python": [0],
    'New kitchen for a bakery\r\n\r\nTwo months, on site.\nskills: "ovens", C:\\plans': [1, 2],
}
PROFILES = [
    "Data engineer\n\nBio:\nTen years of pipelines.\n\nSkills:\nSQL,Python",
    "Kitchen fitter\n\nBio:\nI build kitchens for restaurants.",
    "Electrician\n\nBio:\nOvens, fridges, fuses\u2028and lamps 💡",
    "Bookkeeper\n\nBio:\nAccounts for small firms.",
]
METRICS = ["map", "mrr", "rp@2", "recall@3", "hit@1", "ndcg@5"]

TITLE, SKILL, SENTENCE = ModelInputType.JOB_TITLE, ModelInputType.SKILL_NAME, ModelInputType.SKILL_SENTENCE
BRIEF, PROFILE = ModelInputType.PROJECT_BRIEF_STRING, ModelInputType.CANDIDATE_PROFILE_STRING

RANKINGS = [
    # Name, queries with their targets, targets, types for WorkRB, the kinds they have to become.
    ("Titles to skills", TITLES, SKILLS, (TITLE, SKILL), ("occupation", "skill")),
    ("Sentences to skills", SENTENCES, SKILLS, (SENTENCE, SKILL), ("sentence", "skill")),
    ("Briefs to profiles", BRIEFS, PROFILES, (BRIEF, PROFILE), (None, None)),
]


class OwnRanking(RankingTask):
    """A ranking task of texts given to it."""

    description = "Texts of offline_check.py"
    supported_query_languages = supported_target_languages = [Language.EN]
    task_group = RankingTaskGroup.JOB2SKILL
    label_type = LabelType.MULTI_LABEL
    default_metrics = METRICS
    name = query_input_type = target_input_type = None

    def __init__(
        self,
        name: str,
        relevant: dict[str, list[int]],
        targets: list[str],
        types: tuple[ModelInputType, ModelInputType],
    ):
        self.name = name
        self.query_input_type, self.target_input_type = types
        self.relevant, self.targets = relevant, targets
        super().__init__(languages=["en"], split="test")

    def load_dataset(self, dataset_id: str, split: DatasetSplit) -> RankingDataset:
        return RankingDataset([*self.relevant], [*self.relevant.values()], self.targets, dataset_id=dataset_id)


class OwnClassification(MultiLabelClassificationTask):
    """Titles and the skills that go with them, as a classification with a given threshold."""

    name = "Titles and their skills"
    description = "Texts of offline_check.py"
    supported_query_languages = supported_target_languages = [Language.EN]
    task_group = ClassificationTaskGroup.JOB2SKILL
    default_metrics = ["f1_micro", "precision_micro", "recall_micro"]
    input_type = TITLE

    def __init__(self, threshold: float):
        super().__init__(threshold=threshold, best_threshold_on_val_data=False, languages=["en"], split="test")

    def get_output_space_size(self, dataset_id: str) -> int:
        return len(SKILLS)

    def load_dataset(self, dataset_id: str, split: DatasetSplit) -> ClassificationDataset:
        return ClassificationDataset([*TITLES], [*TITLES.values()], SKILLS, dataset_id=dataset_id)


class Checks:
    """Prints checks as they are made, and counts the failed ones."""

    def __init__(self) -> None:
        self.made = self.failed = 0

    def check(self, holds: bool, what: str, otherwise: str = "") -> None:
        self.made += 1
        self.failed += not holds
        print(f"{'ok    ' if holds else 'FAILED'}  {what}{'' if holds or not otherwise else ': ' + otherwise}")


def score_directly(
    model: WorkIndexModel,
    queries: Sequence[str],
    targets: Sequence[str],
    kinds: tuple[str | None, str | None],
) -> np.ndarray:
    """The matrix of `workindex score`, called without the adapter; one text a line where the texts allow it."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for side, texts in (("queries", queries), ("targets", targets)):
            plain = all(len(text.splitlines()) == 1 for text in texts)
            lines = texts if plain else [json.dumps(text, ensure_ascii=False) for text in texts]
            file = Path(folder, side + (".txt" if plain else ".jsonl"))
            file.write_bytes("".join(line + "\n" for line in lines).encode())
            files += [f"--{side}", str(file)]
        for side, kind in zip(("query", "target"), kinds, strict=True):
            files += [] if kind is None else [f"--{side}-kind", kind]
        out = Path(folder, "direct.npy")
        line = [*model.command, "score", "--encoder", model.encoder, *files, "--out", str(out), *model.options, "-q"]
        subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
        return np.load(out)


def ranking_metrics(scores: np.ndarray, relevant: Sequence[Sequence[int]]) -> dict[str, float]:
    """METRICS, by their definitions."""
    # Sorted as WorkRB sorts, so that ties are broken in the same way.
    order = np.argsort(-scores, axis=1).tolist()
    rows = []
    for ranked, wanted in zip(order, relevant, strict=True):
        ranks = sorted(ranked.index(target) + 1 for target in wanted)
        gain = sum(1 / math.log2(rank + 1) for rank in ranks if rank <= 5)
        best_gain = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(ranks), 5) + 1))
        rows.append(
            {
                "map": sum(n / rank for n, rank in enumerate(ranks, 1)) / len(ranks),
                "mrr": 1 / ranks[0],
                "rp@2": sum(rank <= 2 for rank in ranks) / min(2, len(ranks)),
                "recall@3": sum(rank <= 3 for rank in ranks) / len(ranks),
                "hit@1": float(ranks[0] == 1),
                "ndcg@5": gain / best_gain,
            }
        )
    return {metric: sum(row[metric] for row in rows) / len(rows) for metric in METRICS}


def classification_metrics(scores: np.ndarray, threshold: float) -> dict[str, float]:
    """Micro averages over all pairs of a title and a skill."""
    said = {(row, column) for row, column in np.argwhere(scores >= np.float32(threshold)).tolist()}
    true = {(row, column) for row, columns in enumerate(TITLES.values()) for column in columns}
    right = len(said & true)
    return {
        "f1_micro": 2 * right / (len(said) + len(true)),
        "precision_micro": right / len(said) if said else 0.0,
        "recall_micro": right / len(true),
    }


def check_metrics(checks: Checks, task: str, found: dict[str, float], expected: dict[str, float]) -> None:
    same = found.keys() == expected.keys() and all(
        math.isclose(found[metric], value, abs_tol=1e-9) for metric, value in expected.items()
    )
    figures = ", ".join(f"{metric} {value:.4f}" for metric, value in expected.items())
    checks.check(same, f"{task}: WorkRB's metrics are those of the matrix ({figures})", f"WorkRB says {found}")


def check_evaluation(checks: Checks, model: WorkIndexModel, folder: Path) -> None:
    """Runs WorkRB's `evaluate()` and compares it with direct calls of the command."""
    print("Calling workindex score directly …")
    direct = {
        name: score_directly(model, [*relevant], targets, kinds) for name, relevant, targets, _, kinds in RANKINGS
    }
    # WorkRB does not say what labels are; its models, and this one, then take them for what the texts are.
    labels = score_directly(model, [*TITLES], SKILLS, ("occupation", "occupation"))
    # Half of all pairs are above it, whatever the encoder: some rightly and some wrongly.
    threshold = float(np.sort(labels, axis=None)[labels.size // 2])

    print("Running workrb.evaluate() …")
    tasks = [OwnRanking(name, relevant, targets, types) for name, relevant, targets, types, _ in RANKINGS]
    classification = OwnClassification(threshold)
    results = workrb.evaluate(model, [*tasks, classification], output_folder=str(folder), save_rankings=True)

    saved = {}
    for file in folder.glob("rankings/*/*.json"):
        content = json.loads(file.read_text())
        saved[content["header"]["task_name"]] = [[*row.values()] for row in content["scores"].values()]
    for name, relevant, targets, _, kinds in RANKINGS:
        expected = direct[name]
        seen = np.array(saved[name], dtype=np.float32)
        what = f"{name}: WorkRB saw the scores of {len(relevant)} x {len(targets)} texts as {kinds[0]} and {kinds[1]}"
        same = seen.shape == expected.shape and bool(np.all(seen == expected))
        checks.check(same, what, f"shapes {seen.shape} and {expected.shape}, or other scores")
        found = results.task_results[name].datasetid_results["en"].metrics_dict
        check_metrics(checks, name, found, ranking_metrics(expected, [*relevant.values()]))
    found = results.task_results[classification.name].datasetid_results["en"].metrics_dict
    check_metrics(checks, classification.name, found, classification_metrics(labels, threshold))


def check_texts(checks: Checks, model: WorkIndexModel) -> None:
    """Checks what the command promises about single texts."""
    print("Scoring difficult texts …")
    queries = ["Pipe welder", "line one\nline two", "", "Pipe welder", "line one", 'zażółć 溶接 💡 "\\']
    targets = ["weld steel", "", "line one\nline two", "weld steel"]
    scores = model.compute_rankings(queries, targets, TITLE, SKILL).numpy()
    filled = np.ix_([0, 1, 3, 4, 5], [0, 2, 3])
    empty = np.ones(scores.shape, dtype=bool)
    empty[filled] = False

    checks.check(bool(np.all(np.isfinite(scores))), "all scores are finite")
    checks.check(bool(np.all(np.abs(scores) <= 1 + 1e-5)), "all scores lie between -1 and 1")
    checks.check(bool(np.all(scores[0] == scores[3])), "a query that occurs twice has the same scores twice")
    checks.check(bool(np.all(scores[:, 0] == scores[:, 3])), "a target that occurs twice has the same scores twice")
    checks.check(
        bool(np.all(scores[empty] == -1)),
        "an empty text has the score -1 with everything",
        "or does this encoder embed something of it, a prompt or special tokens?",
    )
    checks.check(bool(np.all(scores[filled] > -1)), "no other text has the score -1")
    checks.check(bool(np.any(scores[1] != scores[4])), "a text with a line break is one text, not its first line")
    alone = np.array(
        [
            [model.compute_rankings([query], [target], TITLE, SKILL).item() for target in targets[:3]]
            for query in queries[:2]
        ],
        dtype=np.float32,
    )
    checks.check(bool(np.all(alone == scores[:2, :3])), "a pair has the same score alone")
    again = model.compute_rankings(queries, targets, TITLE, SKILL).numpy()
    checks.check(bool(np.all(again == scores)), "a second call gives the same scores")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Checks workindex as a model of WorkRB, without a network.")
    add_model_options(parser)
    model = model_of(parser.parse_args(arguments))
    print(f"Model: {model.name}")
    checks = Checks()
    try:
        with tempfile.TemporaryDirectory() as folder:
            check_evaluation(checks, model, Path(folder))
        check_texts(checks, model)
    except (WorkIndexError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{checks.made - checks.failed} of {checks.made} checks passed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
