"""Times one step of training in torch on the CPU, in f32: what workindex's own step is compared with.

    python training.py [MODEL_DIR] [--steps 10] [--threads 1 2]

A step: 256 + 256 texts of nine tokens each, random but for the special ones at their ends, all in one batch without
padding; the last hidden states without the rows of the special tokens; soft late interaction (tau 0.1, cosines, both
directions averaged) of all 256 x 256 pairs; symmetric many-to-many InfoNCE (temperature 0.05) with the diagonal as
positives; backward; gradients clipped to norm 1; AdamW over all parameters, the embedding table dense. No dropout.
Prints a markdown table of seconds, median / best, for each kind of attention and of AdamW (torch's default and its
fused one); their steps alternate. "loss" is its forward part, "optimiser" has the clipping. Needs torch and
transformers.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from pathlib import Path

import torch
import transformers

TEXTS = 256
TOKENS = 9
TAU = 0.1
TEMPERATURE = 0.05
RATE = 8e-5
PARTS = ("forward", "loss", "backward", "optimiser")
WARM_UP = 2
# Threads of a step that has just finished may spin for a while.
PAUSE_S = 0.1


def late_interaction(queries, targets):
    """Scores of all pairs, of texts x tokens x dim each: one product, texts innermost; both directions use one exp."""
    (n, i, dim), (m, j, _) = queries.shape, targets.shape
    flat = [rows.transpose(0, 1).reshape(-1, dim) for rows in (queries, targets)]
    cosines = (flat[0] @ flat[1].T).reshape(i, n, j, m)
    # Cosines are at most 1, so these are between exp(-2 / tau) and 1.
    weights = ((cosines - 1) / TAU).exp()
    weighted = weights * cosines
    forth = (weighted.sum(2) / weights.sum(2)).mean(0)
    back = (weighted.sum(0) / weights.sum(0)).mean(1)
    return (forth + back) / 2


def many_to_many(scores, positive):
    """Both directions; every query and every target has a positive here."""
    losses = []
    for own, mask in ((scores, positive), (scores.T, positive.T)):
        of_pairs = torch.log_softmax(own / TEMPERATURE, 1) * mask
        losses.append(-(of_pairs.sum(1) / mask.sum(1)).mean())
    return losses[0] + losses[1]


class Trainer:
    def __init__(self, directory, attention, fused):
        self.model = transformers.AutoModel.from_pretrained(
            directory, attn_implementation=attention, dtype=torch.float32, add_pooling_layer=False
        ).eval()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0.01, fused=fused)

    def step(self, ids):
        """Seconds by part, and the loss."""
        times = [time.perf_counter()]
        hidden = self.model(input_ids=ids).last_hidden_state
        times.append(time.perf_counter())
        unit = torch.nn.functional.normalize(hidden[:, 1:-1], dim=-1)
        scores = late_interaction(unit[:TEXTS], unit[TEXTS:])
        loss = many_to_many(scores, torch.eye(TEXTS))
        times.append(time.perf_counter())
        loss.backward()
        times.append(time.perf_counter())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        times.append(time.perf_counter())
        return [after - before for before, after in itertools.pairwise(times)], loss.item()


def draw(vocabulary, special, generator):
    ids = torch.randint(vocabulary, (2 * TEXTS, TOKENS), generator=generator)
    ids[:, 0], ids[:, -1] = special
    return ids


def measure(trainers, threads, steps, batches):
    """The steps' seconds by part, of each trainer; each round begins with another one."""
    torch.set_num_threads(threads)
    times = {name: [] for name in trainers}
    names = list(trainers)
    for number in range(WARM_UP + steps):
        first = number % len(names)
        ids = next(batches)
        for name in names[first:] + names[:first]:
            seconds, _ = trainers[name].step(ids)
            if number >= WARM_UP:
                times[name].append(seconds)
            time.sleep(PAUSE_S)
        print(f"{threads} threads: step {number + 1} of {WARM_UP + steps}", file=sys.stderr)
    return times


def row(threads, name, times):
    columns = [[sum(seconds) for seconds in times], *zip(*times)]
    return [str(threads), *name, *(f"{statistics.median(column):.3f} / {min(column):.3f}" for column in columns)]


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=os.environ.get("WORKINDEX_ENCODER"))
    parser.add_argument("--steps", type=int, default=10, help="steps of each kind and number of threads")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--attention", nargs="+", default=["eager", "sdpa"])
    parser.add_argument("--optimiser", nargs="+", choices=["plain", "fused"], default=["plain", "fused"])
    options = parser.parse_args(arguments)
    if options.model is None:
        parser.error("MODEL_DIR or WORKINDEX_ENCODER is needed")
    return options


def main(arguments):
    options = options_of(arguments)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    special = tokenizer.cls_token_id, tokenizer.sep_token_id
    trainers = {
        (attention, optimiser): Trainer(options.model, attention, optimiser == "fused")
        for attention, optimiser in itertools.product(options.attention, options.optimiser)
    }
    generator = torch.Generator().manual_seed(1)
    vocabulary = next(iter(trainers.values())).model.config.vocab_size
    batches = (draw(vocabulary, special, generator) for _ in itertools.count())
    heads = ["threads", "attention", "AdamW", "step, s: median / best", *PARTS]
    print(f"| {' | '.join(heads)} |\n| {' | '.join(['---'] * len(heads))} |")
    loads = []
    for threads in options.threads:
        before = os.getloadavg()[0]
        times = measure(trainers, threads, options.steps, batches)
        loads.append(f"{before:.1f} to {os.getloadavg()[0]:.1f} with {threads}")
        for name in trainers:
            print(f"| {' | '.join(row(threads, name, times[name]))} |", flush=True)
    print(f"\n{options.model.resolve().name}, {TEXTS} + {TEXTS} texts of {TOKENS} tokens; steps: {options.steps}.")
    print(f"Load average (own threads included): {', '.join(loads)} threads, on {os.cpu_count()} processors.")
    print(f"torch {torch.__version__}, transformers {transformers.__version__}.")


if __name__ == "__main__":
    main(sys.argv[1:])
