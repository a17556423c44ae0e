"""Tests of the adapter with a stand-in for the command: `python test_adapter.py`, or `python -m unittest`.

They need WorkRB, and neither workindex, nor a model, nor a network. Where WorkRB cannot be imported, they are skipped.
"""

import contextlib
import gc
import io
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

try:
    import numpy as np
    import torch
    from workrb.models.base import ModelInterface
    from workrb.types import ModelInputType

    import run
    from workindex_workrb import WorkIndexError, WorkIndexModel, kind_of
except ImportError as error:
    MISSING = f"WorkRB and torch are needed, try `pip install workrb==0.6.0`: {error}"
else:
    MISSING = ""

# Scores are numbers made of a hash of everything a score may depend on. The file `mode` in the encoder's directory says
# what shall go wrong; what the command was given goes to `calls.jsonl` there.
FAKE = r"""
import argparse, hashlib, json, os, signal, sys
from pathlib import Path
import numpy as np

parser = argparse.ArgumentParser()
score = parser.add_subparsers(required=True).add_parser("score", allow_abbrev=False)
for option in ("encoder", "queries", "targets", "out"):
    score.add_argument("--" + option, required=True)
for option in ("query-kind", "target-kind", "temperature", "threads", "max-tokens"):
    score.add_argument("--" + option)
score.add_argument("--rule", choices=["soft", "maxsim", "context", "mean"])
score.add_argument("--direction", choices=["query", "target", "both"])
score.add_argument("--weights", choices=["cosine", "raw"])
score.add_argument("--precision", choices=["f32", "bf16"])
score.add_argument("--keep-special-tokens", action="store_true")
score.add_argument("-q", action="store_true")
args = parser.parse_args()
if not os.path.isdir(args.encoder):
    sys.exit("error: no model at " + args.encoder)
mode = Path(args.encoder, "mode")
mode = mode.read_text() if mode.exists() else ""

def texts(path):
    lines = Path(path).read_bytes().decode().split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines] if path.endswith(".jsonl") else lines

queries, targets = texts(args.queries), texts(args.targets)
with open(Path(args.encoder, "calls.jsonl"), "a") as calls:
    names = sorted(os.listdir(Path(args.out).parent))
    call = {"arguments": sys.argv[1:], "queries": queries, "targets": targets, "names": names}
    print(json.dumps(call), file=calls)

if mode == "fails":
    print("error: tensor embeddings.weight is missing\n  in model.safetensors", file=sys.stderr)
    sys.exit(1)
if mode == "interrupted":
    sys.exit(130)
if mode == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "writes nothing":
    sys.exit(0)
if mode == "writes no array":
    Path(args.out).write_text("scores")
    sys.exit(0)

rest = [args.rule, args.temperature, args.direction, args.weights]
rest += [args.max_tokens, args.precision, args.keep_special_tokens]
def one(query, target):
    if not query.strip() or not target.strip():
        return -1.0
    key = json.dumps([query, args.query_kind, target, args.target_kind, rest]).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=4).digest(), "little") / 2**32 * 1.8 - 0.9

matrix = np.array([[one(query, target) for target in targets] for query in queries], dtype=np.float32)
if mode == "one too few":
    matrix = matrix[:-1]
if mode == "float64":
    matrix = matrix.astype(np.float64)
np.save(args.out, matrix)
if mode == "cut short":
    os.truncate(args.out, os.path.getsize(args.out) - 1)
if mode == "says something":
    print("error-free", file=sys.stderr)
"""


@unittest.skipIf(MISSING, MISSING)
class WithFakeCommand(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.encoder = self.folder / "some-encoder"
        self.encoder.mkdir()
        self.temp = self.folder / "temp"
        self.temp.mkdir()
        self.fake = self.folder / "fake.py"
        self.fake.write_text(FAKE)

    def model(self, **options) -> "WorkIndexModel":
        return WorkIndexModel(
            self.encoder, **{"command": [sys.executable, str(self.fake)], "temp_dir": self.temp} | options
        )

    def executable(self) -> str:
        """The stand-in as one program, for scripts."""
        if os.name == "nt":
            self.skipTest("needs scripts that can be executed")
        program = self.folder / "workindex"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{self.fake}" "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return str(program)

    def mode(self, mode: str) -> None:
        (self.encoder / "mode").write_text(mode)

    def calls(self) -> list[dict]:
        calls = self.encoder / "calls.jsonl"
        return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []

    def rank(self, model=None, queries=("a", "b"), targets=("x", "y", "z"), kinds=(None, None)) -> "torch.Tensor":
        return (model or self.model()).compute_rankings([*queries], [*targets], *kinds)

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.temp), [])


class Arguments(WithFakeCommand):
    def given(self, **options) -> list[str]:
        """What the command is given besides the encoder and the files."""
        self.rank(self.model(**options))
        arguments = self.calls()[-1]["arguments"]
        self.assertEqual(arguments[:3], ["score", "--encoder", str(self.encoder)])
        self.assertEqual(arguments[3:9:2], ["--queries", "--targets", "--out"])
        return arguments[9:]

    def test_nothing_is_passed_on_unasked(self):
        self.assertEqual(self.given(), ["-q"])

    def test_options(self):
        for options, expected in [
            ({"rule": "maxsim"}, ["--rule", "maxsim"]),
            ({"temperature": 0.05}, ["--temperature", "0.05"]),
            ({"temperature": 1}, ["--temperature", "1.0"]),
            ({"temperature": np.float64(0.1)}, ["--temperature", "0.1"]),
            ({"direction": "both", "weights": "raw"}, ["--direction", "both", "--weights", "raw"]),
            ({"max_tokens": 48}, ["--max-tokens", "48"]),
            ({"keep_special_tokens": True}, ["--keep-special-tokens"]),
            ({"precision": "bf16", "threads": 2}, ["--precision", "bf16", "--threads", "2"]),
            ({"rule": "soft", "extra_args": ["--weights", "cosine"]}, ["--rule", "soft", "--weights", "cosine"]),
        ]:
            with self.subTest(options=options):
                self.assertEqual(self.given(**options), ["-q", *expected])
                self.assertEqual(self.model(**options).options, expected)

    def test_quiet_unless_progress_is_wanted(self):
        self.assertEqual(self.given(progress=True), [])

    def test_commands(self):
        model = self.model(command="workindex")
        self.assertEqual(model.arguments("q", "t", "o")[:2], ["workindex", "score"])
        model = self.model(command=Path("bin", "workindex"))
        self.assertEqual(model.arguments("q", "t", "o")[:2], [str(Path("bin", "workindex")), "score"])
        model = self.model(command=("env", "A=1", "workindex"))
        self.assertEqual(model.arguments("q", "t", "o")[:4], ["env", "A=1", "workindex", "score"])

    def test_encoder_does_not_depend_on_the_working_directory(self):
        model = WorkIndexModel("minilm")
        self.assertEqual(model.encoder, str(Path.cwd() / "minilm"))

    def test_refused(self):
        with self.assertRaises(ValueError):
            self.model(command=[])
        with self.assertRaises(TypeError):
            self.model(extra_args="--rule soft")


class Names(WithFakeCommand):
    def test_name_tells_settings_apart(self):
        settings = [
            {},
            {"rule": "soft"},
            {"rule": "mean"},
            {"temperature": 0.05},
            {"temperature": 0.5},
            {"direction": "query"},
            {"weights": "raw"},
            {"max_tokens": 48},
            {"keep_special_tokens": True},
            {"precision": "bf16"},
            {"extra_args": ["--more"]},
        ]
        names = [self.model(**options).name for options in settings]
        self.assertEqual(len(names), len({*names}), names)
        self.assertEqual(names[0], "workindex-some-encoder")
        for name in names:
            self.assertRegex(name, r"\A[A-Za-z0-9_.-]+\Z")

    def test_name_does_not_depend_on_what_changes_no_score(self):
        model = self.model(threads=2, progress=True, command="elsewhere/workindex")
        self.assertEqual(model.name, self.model().name)

    def test_name_of_ones_own(self):
        self.assertEqual(self.model(rule="soft", name="mine").name, "mine")

    def test_interface(self):
        model = self.model(rule="soft")
        self.assertIsInstance(model, ModelInterface)
        self.assertIn("--rule soft", model.description)
        self.assertNotIn(str(self.folder), model.description)
        self.assertIn("2511.07969", model.citation)
        self.assertIsNone(model.classification_label_space)


class Kinds(WithFakeCommand):
    def test_every_type_of_workrb(self):
        known = {"JOB_TITLE": "occupation", "SKILL_NAME": "skill", "SKILL_SENTENCE": "sentence"}
        for input_type in ModelInputType:
            self.assertEqual(kind_of(input_type), known.get(input_type.name), input_type)
        self.assertIsNone(kind_of(None))

    def test_of_rankings(self):
        self.rank(kinds=(ModelInputType.SKILL_SENTENCE, ModelInputType.SKILL_NAME))
        self.rank(kinds=(ModelInputType.PROJECT_BRIEF_STRING, ModelInputType.JOB_TITLE))
        first, second = (call["arguments"][9:] for call in self.calls())
        self.assertEqual(first, ["--query-kind", "sentence", "--target-kind", "skill", "-q"])
        self.assertEqual(second, ["--target-kind", "occupation", "-q"])

    def test_of_classifications(self):
        model = self.model()
        labels = model.compute_classification(texts=["a"], targets=["x", "y"], input_type=ModelInputType.JOB_TITLE)
        other = model.compute_classification(["a"], ["x", "y"], ModelInputType.JOB_TITLE, ModelInputType.SKILL_NAME)
        first, second = (call["arguments"][9:] for call in self.calls())
        self.assertEqual(first, ["--query-kind", "occupation", "--target-kind", "occupation", "-q"])
        self.assertEqual(second, ["--query-kind", "occupation", "--target-kind", "skill", "-q"])
        ranked = self.rank(model, ["a"], ["x", "y"], (ModelInputType.JOB_TITLE, ModelInputType.JOB_TITLE))
        self.assertTrue(torch.equal(labels, ranked))
        self.assertFalse(torch.equal(labels, other))


class Scores(WithFakeCommand):
    def test_shape_order_and_type(self):
        scores = self.rank(queries=["a", "b"], targets=["x", "y", "z"])
        self.assertEqual((scores.shape, scores.dtype), ((2, 3), torch.float32))
        for row, query in enumerate("ab"):
            for column, target in enumerate("xyz"):
                self.assertEqual(scores[row, column], self.rank(queries=[query], targets=[target]).item())

    def test_texts_arrive_as_they_are(self):
        texts = [
            "a\nb",
            "a\r\nb\r",
            "\n",
            "",
            " a ",
            '"quoted" \\n',
            "\u2028\u2029\x85\x0b\x0c\x00\x1f",
            "zażółć 溶接 💡",
            "a",
            "a",
            "\ufeffa",
            "- [1, 2]",
            "null",
        ]
        scores = self.rank(queries=texts, targets=texts[::-1])
        (call,) = self.calls()
        self.assertEqual(call["queries"], texts)
        self.assertEqual(call["targets"], texts[::-1])
        self.assertEqual(scores.shape, (13, 13))
        self.assertTrue(torch.equal(scores[8], scores[9]))
        self.assertTrue(bool((scores[3] == -1).all()))

    def test_no_texts(self):
        for queries, targets in [([], ["x"]), (["a"], []), ([], [])]:
            scores = self.rank(queries=queries, targets=targets)
            self.assertEqual((scores.shape, scores.dtype), ((len(queries), len(targets)), torch.float32))
        self.assertEqual(self.calls(), [])

    def test_what_is_no_text(self):
        for text in (None, 1.0, float("nan"), b"a"):
            with self.assertRaises(TypeError):
                self.rank(queries=["a", text])
        self.assertEqual(self.calls(), [])
        self.assert_nothing_left()

    def test_scores_outlive_their_file(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scores = self.rank()
            self.assert_nothing_left()
            before = scores.clone()
            gc.collect()
            self.rank()
            self.assertTrue(torch.equal(scores, before))
            scores[0, 0] = 7.0
            self.assertEqual(scores.numpy()[0, 0], 7.0)
        self.assert_nothing_left()

    @unittest.skipIf(os.name == "nt", "read, not mapped, on Windows")
    def test_scores_are_mapped(self):
        with mock.patch("numpy.load", wraps=np.load) as load:
            self.rank()
        self.assertEqual(load.call_args.kwargs["mmap_mode"], "c")
        self.assertIs(load.call_args.kwargs["allow_pickle"], False)

    def test_read_where_mapped_files_cannot_be_deleted(self):
        expected = self.rank()
        with mock.patch("workindex_workrb.os.name", "nt"), mock.patch("numpy.load", wraps=np.load) as load:
            from workindex_workrb import _read_scores

            path = self.folder / "some.npy"
            np.save(path, expected.numpy())
            self.assertTrue(torch.equal(_read_scores(path, (2, 3)), expected))
        self.assertIsNone(load.call_args.kwargs["mmap_mode"])

    def test_files_of_a_call(self):
        self.rank()
        (call,) = self.calls()
        self.assertEqual(call["names"], ["queries.jsonl", "targets.jsonl"])
        out = Path(call["arguments"][8])
        self.assertEqual(out.parent.parent, self.temp)
        self.assertFalse(out.parent.exists())


class Failures(WithFakeCommand):
    def failure(self, mode: str, **options) -> "WorkIndexError":
        self.mode(mode)
        with self.assertRaises(WorkIndexError) as caught:
            self.rank(self.model(**options))
        self.assert_nothing_left()
        return caught.exception

    def test_error_of_the_command(self):
        error = self.failure("fails")
        self.assertIn("failed with exit status 1", str(error))
        self.assertIn("error: tensor embeddings.weight is missing\n  in model.safetensors", str(error))
        self.assertEqual(error.returncode, 1)
        self.assertTrue(error.stderr.startswith("error: "))

    def test_wrong_option(self):
        self.assertIn("frobnicate", str(self.failure("", rule="frobnicate")))

    def test_error_seen_as_progress(self):
        script = """
import sys
from workindex_workrb import WorkIndexModel
WorkIndexModel(sys.argv[1], command=sys.argv[2:], progress=True).compute_rankings(["a"], ["b"], None, None)
"""
        self.mode("fails")
        done = subprocess.run(
            [sys.executable, "-B", "-c", script, str(self.encoder), sys.executable, str(self.fake)],
            cwd=HERE,
            capture_output=True,
            encoding="utf-8",
        )
        self.assertTrue(done.stderr.startswith("error: tensor embeddings.weight is missing"), done.stderr)
        self.assertIn("WorkIndexError", done.stderr)

    def test_interrupted(self):
        error = self.failure("interrupted")
        self.assertIn("was interrupted", str(error))
        self.assertEqual(error.returncode, 130)

    @unittest.skipIf(os.name == "nt", "no signals")
    def test_killed(self):
        error = self.failure("killed")
        self.assertIn("signal 9", str(error))
        self.assertEqual(error.returncode, -9)

    def test_no_such_program(self):
        error = self.failure("", command=str(self.folder / "nowhere"))
        self.assertIn("nowhere cannot be run", str(error))
        self.assertIsNone(error.returncode)

    def test_scores_missing_or_damaged(self):
        for mode, expected in [
            ("writes nothing", "cannot be read"),
            ("writes no array", "cannot be read"),
            ("cut short", "cannot be read"),
            ("one too few", r"shape \(2, 3\), got float32 of shape \(1, 3\)"),
            ("float64", "expected float32 .* got float64"),
        ]:
            with self.subTest(mode=mode):
                self.assertTrue(re.search(expected, str(self.failure(mode))), mode)

    def test_success_may_say_something(self):
        self.mode("says something")
        self.assertEqual(self.rank().shape, (2, 3))

    def test_interrupt_of_this_process(self):
        with mock.patch("subprocess.run", side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            self.rank()
        self.assert_nothing_left()


class Scripts(WithFakeCommand):
    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        line = [sys.executable, "-B", str(HERE / name), "--command", self.executable(), "--encoder", str(self.encoder)]
        return subprocess.run([*line, *arguments], capture_output=True, encoding="utf-8")

    def test_offline_check(self):
        done = self.script("offline_check.py", "--rule", "soft", "--temperature", "0.05")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("FAILED", done.stdout)
        self.assertRegex(done.stdout, r"(\d+) of \1 checks passed")
        given = [call["arguments"] for call in self.calls()]
        self.assertTrue(all("--rule" in arguments and "0.05" in arguments for arguments in given))

    def test_offline_check_finds_errors(self):
        # Wrong in the adapter's way of giving texts, right in the other.
        right = 'return [json.loads(line) for line in lines] if path.endswith(".jsonl") else lines'
        self.assertIn(right, FAKE)
        self.fake.write_text(FAKE.replace(right, right.replace("in lines]", "in lines[::-1]]")))
        done = self.script("offline_check.py")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("FAILED  Titles to skills", done.stdout)

    def test_offline_check_without_an_encoder(self):
        self.mode("fails")
        done = self.script("offline_check.py")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: ", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def run_main(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = run.main([*arguments])
            except SystemExit as exit_:
                status = exit_.code
        return status, out.getvalue(), err.getvalue()

    def test_run(self):
        import offline_check

        task = offline_check.OwnRanking(*offline_check.RANKINGS[0][:4])
        arguments = ["--encoder", str(self.encoder), "--command", self.executable(), "--task", "MELORanking"]
        arguments += ["--out", str(self.folder / "out"), "--rule", "soft", "--languages", "en", "--split", "val"]
        with mock.patch("workrb.registry.TaskRegistry.create", return_value=task) as create:
            status, out, err = self.run_main(*arguments)
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(out, r"Titles to skills, en: map 0\.\d{4}  mrr ")
            create.assert_called_once_with("MELORanking", languages=["en"], split="val")
            results = self.folder / "out" / "workindex-some-encoder-soft" / "val" / "results.json"
            self.assertEqual(json.loads(results.read_text())["metadata"]["model_name"], "workindex-some-encoder-soft")
            # Taken up again, with nothing left to do but the first try.
            calls = len(self.calls())
            self.assertEqual(self.run_main(*arguments)[0], 0)
            self.assertEqual(len(self.calls()), calls + 1)

    def test_run_fails_before_it_downloads(self):
        self.mode("fails")
        with mock.patch("workrb.registry.TaskRegistry.create") as create:
            status, _, err = self.run_main(
                "--encoder",
                str(self.encoder),
                "--command",
                self.executable(),
                "--task",
                "MELORanking",
                "--out",
                str(self.folder / "out"),
            )
        self.assertEqual(status, 1)
        self.assertTrue(err.startswith("error: "), err)
        create.assert_not_called()
        self.assertFalse((self.folder / "out").exists())

    def test_run_lists_tasks(self):
        status, out, _ = self.run_main("--list")
        self.assertEqual(status, 0)
        self.assertIn("JobTitleSimilarityRanking\n", out)

    def test_run_refuses_unknown_tasks(self):
        status, _, err = self.run_main("--encoder", "e", "--out", "o", "--task", "MELORanking", "Melon")
        self.assertEqual(status, 2)
        self.assertIn("no task 'Melon'", err)


if __name__ == "__main__":
    unittest.main()
