"""Compares the encoder with torch and ONNX Runtime: one model, one machine, one run, in alternating rounds.

    python encoder.py [MODEL_DIR] [--texts 1000] [--rounds 5]

Everybody is given texts and returns the last hidden states of their tokens, so tokenising counts for all. Prints a
markdown table. README.md beside this file says what is needed and how the figures are made.
"""

import argparse
import csv
import functools
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from transformers import AutoModel

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = "esco/1.1.1/ESCO dataset - v1.1.1 - classification - en - csv.zip"
BATCHES = (32, 64, 128)
BASELINE = "ONNX Runtime f32"
REFERENCE = "torch f32"
COMPARED = 50
WARM_UP = 10
# Threads of a runtime that has just finished may spin for a while.
PAUSE_S = 0.1


class Hidden(torch.nn.Module):
    """The last hidden states alone: a graph with one output."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class Torch:
    def __init__(self, model):
        self.model = Hidden(model)

    def hidden(self, ids, mask, threads):
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            return self.model(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()


class Onnx:
    def __init__(self, path):
        self.path = str(path)
        self.sessions = {}

    def hidden(self, ids, mask, threads):
        session = self.sessions.get(threads) or self.open(threads)
        return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    def open(self, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self.sessions[threads] = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        return self.sessions[threads]


class Peer:
    """A runtime in this process, behind the tokenizer of the model."""

    def __init__(self, name, runtime, tokenizer, pad):
        self.name, self.runtime, self.tokenizer, self.pad = name, runtime, tokenizer, pad

    def single(self, text, threads=1):
        ids = np.array([self.tokenizer.encode(text).ids], dtype=np.int64)
        return self.runtime.hidden(ids, np.ones_like(ids), threads)

    def many(self, texts, batch, threads):
        """Sorted by length, and padded to the longest text of each batch; the hidden states come back padded."""
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
        rows = sorted((encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)), key=len, reverse=True)
        return [
            self.runtime.hidden(*self.padded(rows[at : at + batch]), threads) for at in range(0, len(rows), batch)
        ]

    def padded(self, rows):
        ids = np.full((len(rows), len(rows[0])), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, of_row, of_mask in zip(rows, ids, mask):
            of_row[: len(row)] = row
            of_mask[: len(row)] = 1
        return ids, mask

    def round(self, run):
        """Latencies in ms (median, minimum) by the name of the text; texts/s by (threads, batch)."""
        latencies = {name: latency(lambda: self.single(text), run.repeat) for name, text in run.singles.items()}
        speeds = {}
        for threads in run.threads:
            self.many(run.texts[: BATCHES[-1]], BATCHES[-1], threads)
            for batch in BATCHES:
                start = time.perf_counter()
                self.many(run.texts, batch, threads)
                speeds[threads, batch] = len(run.texts) / (time.perf_counter() - start)
            time.sleep(PAUSE_S)
        return latencies, speeds

    def content_rows(self, texts):
        """The rows that workindex keeps: those of all tokens but the special ones."""
        keep = [np.array(self.tokenizer.encode(text).special_tokens_mask) == 0 for text in texts]
        return np.concatenate([self.single(text)[0][kept] for text, kept in zip(texts, keep)])


class WorkIndex:
    """The example program `encode_speed`, a process a round and number of threads."""

    def __init__(self, name, program, model, flags):
        self.name, self.command = name, [str(program), str(model), *flags, "--json"]

    def report(self, *flags):
        done = subprocess.run([*self.command, *map(str, flags)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{self.name}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def round(self, run):
        speeds, latencies = {}, {}
        for threads in run.threads:
            # Latencies are of one thread whatever `--threads` says; those of the first report are taken.
            repeat = 1 if latencies else run.repeat
            report = self.report("--texts", run.file, "--threads", threads, "--repeat", repeat)
            if not latencies:
                latencies = {one["name"]: (one["median_ms"], one["minimum_ms"]) for one in report["single"]}
            speeds[threads, None] = report["many"]["texts_per_s"]
        return latencies, speeds

    def content_rows(self, texts):
        with tempfile.TemporaryDirectory() as folder:
            file, rows = Path(folder, "texts"), Path(folder, "rows")
            write_lines(file, texts)
            self.report("--texts", file, "--repeat", 1, "--dump", rows)
            return np.fromfile(rows, dtype="<f4")


def latency(call, repeat):
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), min(times)


def skill_labels(data):
    """The preferred labels of all ESCO 1.1.1 skills, one line each."""
    with zipfile.ZipFile(Path(data, ARCHIVE)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("skills_en.csv"))
        with archive.open(name) as file:
            rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
            return [" ".join(row["preferredLabel"].split()) for row in rows]


def write_lines(path, texts):
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")


def export(directory, path, max_tokens):
    """Eager attention makes the smaller graph; ONNX Runtime fuses what it can when it opens it."""
    model = AutoModel.from_pretrained(directory, attn_implementation="eager", dtype=torch.float32).eval()
    ids = torch.ones((2, 7), dtype=torch.int64)
    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=1, max=max_tokens)
    axes = {0: batch, 1: length}
    torch.onnx.export(
        Hidden(model),
        (ids, torch.ones_like(ids)),
        path,
        input_names=["input_ids", "attention_mask"],
        output_names=["hidden"],
        dynamic_shapes={"input_ids": axes, "attention_mask": axes},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def build():
    """Builds the example in release mode and tells where it is."""
    command = ["cargo", "build", "--release", "--example", "encode_speed", "--message-format=json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    built = [message for message in messages if message.get("target", {}).get("name") == "encode_speed"]
    return next(message["executable"] for message in built if message.get("executable"))


def contestants(options, max_tokens, folder):
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    model = AutoModel.from_pretrained(options.model, dtype=torch.float32).eval()
    exact, quantised = folder / "f32.onnx", folder / "int8.onnx"
    export(options.model, exact, max_tokens)
    quantize_dynamic(exact, quantised, weight_type=QuantType.QInt8)
    runtimes = {REFERENCE: Torch(model), BASELINE: Onnx(exact), "ONNX Runtime dynamic int8": Onnx(quantised)}
    peers = [Peer(name, runtime, tokenizer, model.config.pad_token_id or 0) for name, runtime in runtimes.items()]
    kinds = [("workindex f32", ["--precision", "f32"]), ("workindex bf16", ["--precision", "bf16"])]
    if options.candle:
        kinds.append(("workindex f32 on candle", ["--backend", "candle"]))
    return peers + [WorkIndex(name, options.program, options.model, flags) for name, flags in kinds]


def differences(everybody, labels):
    """The largest absolute difference from torch of a value of the hidden states; none of models that change them."""
    labels = labels[:: max(1, len(labels) // COMPARED)][:COMPARED]
    rows = {one.name: one.content_rows(labels).ravel() for one in everybody}
    reference = rows[REFERENCE]
    compared = {name: own for name, own in rows.items() if own.shape == reference.shape and name != REFERENCE}
    return {name: float(np.abs(own - reference).max()) for name, own in compared.items()}


def measure(everybody, run, rounds):
    """The rounds of each contestant; each round begins with another one."""
    results = {one.name: [] for one in everybody}
    for number in range(rounds):
        first = number % len(everybody)
        for one in everybody[first:] + everybody[:first]:
            results[one.name].append(one.round(run))
            print(f"round {number + 1} of {rounds}: {one.name}", file=sys.stderr)
            time.sleep(PAUSE_S)
    return results


def cell(median, best, ratios, digits):
    """Two figures, each with how many times as fast as the baseline it is."""
    return " / ".join(f"{figure:.{digits}f} ({ratio:.2f}×)" for figure, ratio in zip((median, best), ratios))


def latency_cell(rounds, baseline, name):
    medians, minima = zip(*(latencies[name] for latencies, _ in rounds))
    slow_medians, slow_minima = zip(*(latencies[name] for latencies, _ in baseline))
    ratios = statistics.median(b / a for a, b in zip(medians, slow_medians)), min(slow_minima) / min(minima)
    return cell(statistics.median(medians), min(minima), ratios, 2)


def speeds_by_batch(rounds, threads):
    """The speeds of all rounds by the size of the batch, the size with the best median first."""
    batches = [batch for of_threads, batch in rounds[0][1] if of_threads == threads]
    by_batch = {batch: [speeds[threads, batch] for _, speeds in rounds] for batch in batches}
    return sorted(by_batch.items(), key=lambda item: statistics.median(item[1]), reverse=True)


def speed_cell(rounds, baseline, threads):
    own, other = speeds_by_batch(rounds, threads), speeds_by_batch(baseline, threads)
    (batch, speeds), (_, slow) = own[0], other[0]
    best, slow_best = (max(max(of_batch) for _, of_batch in speeds) for speeds in (own, other))
    ratios = statistics.median(a / b for a, b in zip(speeds, slow)), best / slow_best
    of_batch = "" if batch is None else f", {batch} a batch"
    return cell(statistics.median(speeds), best, ratios, 0) + of_batch


def table(results, far, run):
    heads = ["", *(f"one {name}, ms: median / minimum" for name in run.singles)]
    heads += [f"texts/s, {n} thread{'s' if n > 1 else ''}: median / best" for n in run.threads]
    heads.append(f"largest difference from {REFERENCE}")
    lines = [heads, ["---"] * len(heads)]
    for name, rounds in results.items():
        cells = [latency_cell(rounds, results[BASELINE], single) for single in run.singles]
        cells += [speed_cell(rounds, results[BASELINE], threads) for threads in run.threads]
        lines.append([name, *cells, f"{far[name]:.1e}" if name in far else "–"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tokenising(tokenizer, singles):
    encode = {name: functools.partial(tokenizer.encode, text) for name, text in singles.items()}
    return ", ".join(f"{name} {len(call().ids)} ({latency(call, 50)[0]:.2f} ms)" for name, call in encode.items())


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, default=os.environ.get("WORKINDEX_ENCODER"))
    parser.add_argument("--data", type=Path, default=os.environ.get("WORKINDEX_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--texts", type=int, default=1000, help="labels a round, spread over all; 0 for all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=50, help="repetitions of a single text in a round")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--candle", action="store_true", help="workindex on candle, too")
    parser.add_argument("--program", help="the example encode_speed, where it is built already")
    options = parser.parse_args(arguments)
    if options.model is None:
        parser.error("MODEL_DIR or WORKINDEX_ENCODER is needed")
    options.model = Path(options.model).resolve()
    options.program = options.program or build()
    return options


def main(arguments):
    options = options_of(arguments)
    labels = skill_labels(options.data)
    known = WorkIndex("workindex", options.program, options.model, []).report("--repeat", 1)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        everybody = contestants(options, known["max_tokens"], folder)
        texts = labels[:: max(1, len(labels) // options.texts)][: options.texts] if options.texts else labels
        write_lines(folder / "texts", texts)
        run = argparse.Namespace(
            texts=texts,
            file=folder / "texts",
            singles={one["name"]: one["text"] for one in known["single"]},
            repeat=options.repeat,
            threads=options.threads,
        )
        far = differences(everybody, labels)
        load = os.getloadavg()[0]
        results = measure(everybody, run, options.rounds)
    print(table(results, far, run))
    print(f"\n{known['model']} on {known['runs_on']}; labels a round: {len(texts)}; rounds: {options.rounds}.")
    print(f"Tokens, and what tokenising them takes from Python: {tokenising(everybody[0].tokenizer, run.singles)}.")
    print(f"Load average before the first round: {load:.1f} on {os.cpu_count()} processors.")
    print(f"torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}. (…×): times as fast as {BASELINE}.")
    print("This service uses the ESCO classification of the European Commission.")


if __name__ == "__main__":
    main(sys.argv[1:])
