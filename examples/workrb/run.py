"""Runs official tasks of WorkRB with workindex as the model.

    python run.py --encoder minilm --out results --task JobTitleSimilarityRanking TechSkillExtractRanking
    python run.py --list

Results go to OUT/<name of the model>/<split>/, where an interrupted run is taken up again. WorkRB downloads the data of
its tasks, most of it from the Hugging Face hub.
"""

import argparse
import sys
from pathlib import Path

import workrb
from workrb.registry import TaskRegistry
from workrb.types import ExecutionMode, LanguageAggregationMode, ModelInputType

from workindex_workrb import WorkIndexError, WorkIndexModel


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that make a `WorkIndexModel`."""
    group = parser.add_argument_group("model", "What is left out is up to the encoder's directory and to workindex.")
    group.add_argument("--encoder", required=True, metavar="DIR", help="directory of the model")
    group.add_argument("--command", default="workindex", help="the program (default: %(default)s)")
    group.add_argument("--rule", help="soft, maxsim, context or mean")
    group.add_argument("--temperature", type=float, metavar="T")
    group.add_argument("--direction", help="query, target or both")
    group.add_argument("--weights", help="cosine or raw")
    group.add_argument("--max-tokens", type=int, metavar="N")
    group.add_argument("--keep-special-tokens", action="store_true")
    group.add_argument("--precision", help="f32 or bf16")
    group.add_argument("--threads", type=int, metavar="N")
    group.add_argument("--temp-dir", metavar="DIR", help="for texts and scores while they are being used")
    group.add_argument("--progress", action="store_true", help="show the progress of workindex")
    group.add_argument("--name", help="name of the model in the results (default: made of the options above)")


def model_of(args: argparse.Namespace) -> WorkIndexModel:
    """Makes the model that the options of `add_model_options` ask for."""
    return WorkIndexModel(
        args.encoder,
        command=args.command,
        rule=args.rule,
        temperature=args.temperature,
        direction=args.direction,
        weights=args.weights,
        max_tokens=args.max_tokens,
        keep_special_tokens=args.keep_special_tokens,
        precision=args.precision,
        threads=args.threads,
        temp_dir=args.temp_dir,
        progress=args.progress,
        name=args.name,
    )


class ListTasks(argparse.Action):
    """Prints the names of all tasks, and exits."""

    def __call__(self, parser, namespace, values, option_string=None):
        print("\n".join(sorted(workrb.list_available_tasks())))
        parser.exit()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs official tasks of WorkRB with workindex as the model.")
    parser.add_argument("--list", action=ListTasks, nargs=0, help="print the names of all tasks, and exit")
    parser.add_argument("--task", required=True, nargs="+", metavar="TASK", help="names as printed by --list")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="results go to DIR/<model>/<split>/")
    parser.add_argument("--split", default="test", choices=["test", "val"], help="(default: %(default)s)")
    parser.add_argument("--languages", nargs="+", default=["en"], metavar="L", help="(default: en)")
    parser.add_argument(
        "--aggregation",
        default=LanguageAggregationMode.MONOLINGUAL_ONLY.value,
        choices=[mode.value for mode in LanguageAggregationMode],
        help="how WorkRB averages over languages; it leaves out data sets that do not fit (default: %(default)s)",
    )
    parser.add_argument("--save-rankings", action="store_true", help="save all scores, too: JSON, some 35 bytes a pair")
    parser.add_argument("--force-restart", action="store_true", help="do not take up an earlier run")
    add_model_options(parser)
    args = parser.parse_args(arguments)
    known = workrb.list_available_tasks()
    for task in args.task:
        if task not in known:
            parser.error(f"WorkRB has no task {task!r}; --list prints the names of all")
    return args


def run(args: argparse.Namespace) -> None:
    model = model_of(args)
    # Says what is wrong with the command, the encoder or the options before anything is downloaded.
    model.compute_rankings(["welder"], ["welding"], ModelInputType.JOB_TITLE, ModelInputType.SKILL_NAME)

    tasks = [TaskRegistry.create(name, languages=args.languages, split=args.split) for name in args.task]
    # WorkRB takes up whatever run it finds in the folder, and asks neither for the model nor for the split of that run.
    folder = args.out / model.name / args.split
    results = workrb.evaluate(
        model,
        tasks,
        output_folder=str(folder),
        description=model.description,
        force_restart=args.force_restart,
        save_rankings=args.save_rankings,
        language_aggregation_mode=LanguageAggregationMode(args.aggregation),
        execution_mode=ExecutionMode.LAZY,
    )
    for task, of_task in results.task_results.items():
        for dataset, of_dataset in of_task.datasetid_results.items():
            metrics = "  ".join(f"{metric} {value:.4f}" for metric, value in of_dataset.metrics_dict.items())
            print(f"{task}, {dataset}: {metrics}")
    print(f"Results: {folder}")


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    try:
        run(args)
    except WorkIndexError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
