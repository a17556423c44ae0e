"""The naive way to evaluate soft late interaction, beside `workindex eval`: torch, whole matrices, one sort a query.

    python evaluation.py [MODEL_DIR] [--queries 200] [--labels 1000] [--threads 2]

Measures on samples what Job2Skill, Skill2Job and skill normalisation of ESCO 1.1.1 take in all (88,000 queries × 3,007 or
13,896 targets): encoding with transformers, scores of all targets in two ways, and average precision from a sort. Prints
the projection, and the average precision of the sample, which `workindex eval` gives too.
"""

import argparse
import csv
import io
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = "esco/1.1.1/ESCO dataset - v1.1.1 - classification - en - csv.zip"
TEMPERATURE = 0.1
# Queries of the three sets, and targets.
SETS = (("job2skill", 3007, 13896), ("skill2job", 13123, 3007), ("skill-normalisation", 71538, 13896))


def skills(data):
    with zipfile.ZipFile(Path(data) / ARCHIVE) as archive:
        name = next(name for name in archive.namelist() if name.endswith("skills_en.csv"))
        with archive.open(name) as file:
            yield from csv.DictReader(io.TextIOWrapper(file, "utf-8"))


def encode(model, tokenizer, texts, batch=64):
    """Unit token rows without special tokens, text by text; texts sorted by length, so that little is padded."""
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    matrices = [None] * len(texts)
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            tokens = tokenizer([texts[at] for at in part], padding=True, truncation=True, max_length=64, return_tensors="pt")
            hidden = torch.nn.functional.normalize(model(**tokens).last_hidden_state, dim=-1)
            for row, at in enumerate(part):
                length = int(tokens["attention_mask"][row].sum())
                matrices[at] = hidden[row, 1 : length - 1].clone()
    return matrices


class Padded:
    """The textbook: one padded tensor of all targets, and masks."""

    name = "padded"

    def __init__(self, targets):
        self.mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(t), dtype=bool) for t in targets], batch_first=True)
        self.rows = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True)

    def scores(self, query):
        cosines = torch.einsum("qd,tnd->tqn", query, self.rows)
        logits = (cosines / TEMPERATURE).masked_fill(~self.mask[:, None, :], -torch.inf)
        forth = (torch.softmax(logits, 2) * cosines).sum(2).mean(1)
        rows = (torch.softmax(cosines / TEMPERATURE, 1) * cosines).sum(1)
        back = (rows * self.mask).sum(1) / self.mask.sum(1)
        return (forth + back) / 2


class Flat:
    """No padding: one product with all rows, and sums by target."""

    name = "flat"

    def __init__(self, targets):
        self.rows = torch.cat(targets)
        lengths = torch.tensor([len(target) for target in targets])
        self.lengths = lengths
        self.target = torch.repeat_interleave(torch.arange(len(targets)), lengths)

    def scores(self, query):
        cosines = query @ self.rows.T
        weights = torch.exp((cosines - 1) / TEMPERATURE)
        n = len(self.lengths)
        sums = torch.zeros(len(query), n).index_add_(1, self.target, weights)
        weighted = torch.zeros(len(query), n).index_add_(1, self.target, weights * cosines)
        forth = (weighted / sums).mean(0)
        rows = (weights * cosines).sum(0) / weights.sum(0)
        back = torch.zeros(n).index_add_(0, self.target, rows) / self.lengths
        return (forth + back) / 2


def average_precision(scores, positives):
    order = np.argsort(-scores, kind="stable")
    ranks = np.sort(np.nonzero(np.isin(order, positives))[0]) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default=os.environ.get("WORKINDEX_ENCODER"))
    parser.add_argument("--data", default=os.environ.get("WORKINDEX_DATA", str(ROOT / "../shared/data")))
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if not args.model:
        parser.error("give a model directory, or set WORKINDEX_ENCODER")
    torch.set_num_threads(args.threads)
    tokenizer, model = AutoTokenizer.from_pretrained(args.model), AutoModel.from_pretrained(args.model).eval()

    rows = list(skills(args.data))
    labels = sorted({row["preferredLabel"].strip() for row in rows})
    place = {label: at for at, label in enumerate(labels)}
    aliases = {}
    for row in rows:
        preferred = row["preferredLabel"].strip()
        for alias in row["altLabels"].split("\n"):
            if len(alias.strip()) > 1 and alias.strip() != preferred:
                aliases.setdefault(alias.strip(), set()).add(place[preferred])
    queries = list(aliases.items())[:: max(1, len(aliases) // args.queries)][: args.queries]

    sample = labels[:: max(1, len(labels) // args.labels)][: args.labels]
    encode(model, tokenizer, sample[:64])
    start = time.perf_counter()
    encode(model, tokenizer, sample)
    per_text = (time.perf_counter() - start) / len(sample)
    targets = encode(model, tokenizer, labels)
    encoded = encode(model, tokenizer, [query for query, _ in queries])

    texts = sum(n for _, n, _ in SETS) + 13896 + 3007
    print(f"{args.threads} threads; encoding {1 / per_text:.0f} texts/s: {texts} texts in {texts * per_text / 60:.1f} minutes")
    for way in (Flat, Padded):
        scorer = way(targets)
        precision, start = [], time.perf_counter()
        with torch.inference_mode():
            for (_, positives), query in zip(queries, encoded):
                precision.append(average_precision(scorer.scores(query).numpy(), sorted(positives)))
        per_query = (time.perf_counter() - start) / len(queries)
        total = sum(n * per_query * targets / 13896 for _, n, targets in SETS) + texts * per_text
        size = scorer.rows.element_size() * scorer.rows.nelement() / 1e6
        print(
            f"{scorer.name}: {1e3 * per_query:.1f} ms a query, targets {size:.0f} MB, "
            f"MAP {100 * np.mean(precision):.2f} of {len(queries)} queries; all three sets in {total / 60:.0f} minutes"
        )


if __name__ == "__main__":
    main()
