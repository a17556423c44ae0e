"""workindex as a model of WorkRB: `WorkIndexModel` ranks by calling the command `workindex score`.

    import workrb
    from workindex_workrb import WorkIndexModel

    model = WorkIndexModel("minilm")        # a model directory, see `workindex encoder fetch`
    tasks = [workrb.tasks.JobTitleSimilarityRanking(languages=["en"], split="test")]
    workrb.evaluate(model, tasks, output_folder=f"results/{model.name}")

README.md beside this file says what is computed where, and what it costs.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from workrb.models.base import ModelInterface
from workrb.types import ModelInputType

__all__ = ["WorkIndexError", "WorkIndexModel", "kind_of"]


class WorkIndexError(RuntimeError):
    """`workindex score` could not be started, failed, or did not write what was expected.

    Attributes
    ----------
    returncode : int or None
        Exit status of the command (negative: the signal that ended it); None if it never ran.
    stderr : str
        What the command wrote to stderr.
    """

    def __init__(self, message: str, returncode: int | None = None, stderr: str = ""):
        super().__init__(message)
        self.returncode = returncode
        self.stderr = stderr


def kind_of(input_type: ModelInputType | None) -> str | None:
    """The kind of text workindex calls a type of WorkRB; None where it has no word for it (briefs, profiles, …)."""
    match input_type:
        case ModelInputType.JOB_TITLE:
            return "occupation"
        case ModelInputType.SKILL_NAME:
            return "skill"
        case ModelInputType.SKILL_SENTENCE:
            return "sentence"
        case _:
            return None


class WorkIndexModel(ModelInterface):
    """Scores texts against texts with `workindex score`, one call of the command for each matrix.

    An option that is None is not passed on: the command then does what the encoder's directory asks for, and else
    what is its own default. Values are checked by the command, so its `--help` is what counts. The object keeps
    nothing but its options between calls.

    Parameters
    ----------
    encoder : str or path
        Directory of the model, as for `workindex init --encoder`.
    command : str, path or sequence of str
        The program, by name or path, or the beginning of its command line. Never interpreted by a shell.
    rule : str, optional
        "soft", "maxsim", "context" or "mean".
    temperature : float, optional
        Temperature of the softmax of "soft" and "context".
    direction : str, optional
        "query", "target" or "both".
    weights : str, optional
        What the softmax sees: "cosine" or "raw" products.
    max_tokens : int, optional
        Tokens after which a text is cut off.
    keep_special_tokens : bool
        Whether rows of special tokens ([CLS], [SEP]) take part.
    precision : str, optional
        "f32" or "bf16".
    threads : int, optional
        Threads of the command.
    extra_args : sequence of str
        More arguments for `workindex score`, put last.
    temp_dir : str or path, optional
        Where texts and scores lie while a call runs (default: that of `tempfile`). Needs 4 bytes for each pair of
        a query and a target.
    progress : bool
        Let the command write its progress and its errors to this process's stderr; a `WorkIndexError` then cannot
        quote them.
    name : str, optional
        Name of the model in WorkRB's results. The default tells all options apart that can change a score, but of the
        encoder only the last part of its path.
    """

    def __init__(
        self,
        encoder: str | os.PathLike[str],
        *,
        command: str | os.PathLike[str] | Sequence[str] = "workindex",
        rule: str | None = None,
        temperature: float | None = None,
        direction: str | None = None,
        weights: str | None = None,
        max_tokens: int | None = None,
        keep_special_tokens: bool = False,
        precision: str | None = None,
        threads: int | None = None,
        extra_args: Sequence[str] = (),
        temp_dir: str | os.PathLike[str] | None = None,
        progress: bool = False,
        name: str | None = None,
    ):
        self.encoder = os.path.abspath(encoder)
        self.command = [os.fspath(command)] if isinstance(command, (str, os.PathLike)) else [*command]
        if not self.command:
            raise ValueError("command is empty")
        if isinstance(extra_args, str):
            raise TypeError("extra_args is a sequence of arguments, not one string")
        self.temp_dir = temp_dir
        self.progress = progress

        options: list[str] = []
        marks: list[str] = []
        for option, value, mark in [
            ("--rule", rule, ""),
            ("--temperature", None if temperature is None else float(temperature), "t"),
            ("--direction", direction, ""),
            ("--weights", weights, ""),
            ("--max-tokens", max_tokens, "max"),
            ("--precision", precision, ""),
        ]:
            if value is not None:
                options += [option, str(value)]
                marks.append(f"{mark}{value}")
        if keep_special_tokens:
            options.append("--keep-special-tokens")
            marks.append("special")
        if threads is not None:
            options += ["--threads", str(threads)]
        self._options = [*options, *extra_args]
        # WorkRB makes folders of names.
        parts = ["workindex", Path(self.encoder).name, *marks, *extra_args]
        self._name = name or "-".join(re.sub(r"[^A-Za-z0-9_.]+", "-", part).strip("-") for part in parts)

    @property
    def name(self) -> str:
        """Name of the model in WorkRB's results."""
        return self._name

    @property
    def description(self) -> str:
        """One sentence on the model."""
        options = " ".join(self._options) or "the encoder's default rule"
        return f"workindex: exact late interaction over the token embeddings of {Path(self.encoder).name} ({options})"

    @property
    def citation(self) -> str:
        """The paper of soft late interaction; the encoder has its own."""
        return """
@misc{uwe_2025,
    title = {Unified Work Embeddings},
    year = {2025},
    eprint = {2511.07969},
    archivePrefix = {arXiv},
    url = {https://arxiv.org/abs/2511.07969},
}
"""

    @property
    def classification_label_space(self) -> list[str] | None:
        """None: there is no classification head, any labels will do."""
        return None

    @property
    def options(self) -> list[str]:
        """The arguments of `workindex score` that are the same for all texts, without `--encoder`."""
        return [*self._options]

    def arguments(
        self,
        queries: str | os.PathLike[str],
        targets: str | os.PathLike[str],
        out: str | os.PathLike[str],
        query_kind: str | None = None,
        target_kind: str | None = None,
    ) -> list[str]:
        """The whole command line that scores the texts of two files.

        Parameters
        ----------
        queries, targets : path
            Files of texts.
        out : path
            The .npy file to be written.
        query_kind, target_kind : str or None
            Kinds of text, see `kind_of`.

        Returns
        -------
        list[str]
        """
        line = [*self.command, "score", "--encoder", self.encoder]
        line += ["--queries", os.fspath(queries), "--targets", os.fspath(targets), "--out", os.fspath(out)]
        if query_kind is not None:
            line += ["--query-kind", query_kind]
        if target_kind is not None:
            line += ["--target-kind", target_kind]
        return [*line, *([] if self.progress else ["-q"]), *self._options]

    def _compute_rankings(
        self,
        queries: list[str],
        targets: list[str],
        query_input_type: ModelInputType | None = None,
        target_input_type: ModelInputType | None = None,
    ) -> torch.Tensor:
        """Score every query against every target.

        Parameters
        ----------
        queries, targets : list[str]
            Texts. They may hold line breaks, be empty, or occur more than once.
        query_input_type, target_input_type : ModelInputType or None
            What the texts are, for encoders that treat kinds of text differently.

        Returns
        -------
        torch.Tensor
            float32, (n_queries, n_targets), from -1 to 1; -1 where a text has nothing to embed.

        Raises
        ------
        WorkIndexError
            The command could not be run, failed, or wrote something else.
        """
        shape = (len(queries), len(targets))
        if 0 in shape:
            return torch.zeros(shape, dtype=torch.float32)
        with tempfile.TemporaryDirectory(prefix="workindex-", dir=self.temp_dir) as folder:
            paths = [Path(folder, name) for name in ("queries.jsonl", "targets.jsonl", "scores.npy")]
            _write_texts(paths[0], queries)
            _write_texts(paths[1], targets)
            self._run(self.arguments(*paths, kind_of(query_input_type), kind_of(target_input_type)))
            return _read_scores(paths[2], shape)

    def _compute_classification(
        self,
        texts: list[str],
        targets: list[str],
        input_type: ModelInputType,
        target_input_type: ModelInputType | None = None,
    ) -> torch.Tensor:
        """Score every text against every label, as a ranking.

        Parameters
        ----------
        texts, targets : list[str]
            Texts and labels.
        input_type : ModelInputType
            What the texts are.
        target_input_type : ModelInputType or None
            What the labels are. None means `input_type`, as for WorkRB's own models.

        Returns
        -------
        torch.Tensor
            float32, (n_texts, n_classes), from -1 to 1: scores, not probabilities.
        """
        return self._compute_rankings(texts, targets, input_type, target_input_type or input_type)

    def _run(self, line: list[str]) -> None:
        """Runs a command line; raises `WorkIndexError` unless it succeeds."""
        try:
            done = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if self.progress else subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise WorkIndexError(f"{line[0]} cannot be run: {error.strerror or error}") from error
        if done.returncode == 0:
            return
        if done.returncode == 130:
            what = "was interrupted"
        elif done.returncode < 0:
            what = f"was ended by signal {-done.returncode}"
        else:
            what = f"failed with exit status {done.returncode}"
        stderr = done.stderr or ""
        said = ": " + stderr.strip() if stderr.strip() else ""
        raise WorkIndexError(f"{Path(line[0]).name} score {what}{said}", done.returncode, stderr)


def _write_texts(path: Path, texts: Iterable[str]) -> None:
    """Writes one JSON string a line, so that texts may hold line breaks."""
    with open(path, "w", encoding="ascii", newline="\n") as file:
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"texts are strings, not {type(text).__name__}: {text!r}")
            file.write(json.dumps(text) + "\n")


def _read_scores(path: Path, shape: tuple[int, int]) -> torch.Tensor:
    """Reads a matrix of scores, without a second copy in memory where files can be deleted while they are mapped."""
    try:
        # "c", copy on write, and not "r": tensors are writable. On Windows a mapped file could not be deleted.
        scores = np.load(path, mmap_mode=None if os.name == "nt" else "c", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise WorkIndexError(f"the scores cannot be read: {error}") from error
    if scores.shape != shape or scores.dtype != np.float32:
        raise WorkIndexError(f"expected float32 scores of shape {shape}, got {scores.dtype} of shape {scores.shape}")
    return torch.from_numpy(scores)
