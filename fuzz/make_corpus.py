#!/usr/bin/env python3
"""Writes the seed corpora (corpus/<target>/seed-*) from the project's fixtures. Run it again when those change.

    python3 fuzz/make_corpus.py

Segments and catalogs need none: their inputs are changes to a sound index.
"""
import io
import json
import pathlib
import struct
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures"
LINES = 6


def seed(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def bundle(options, files):
    return options + b"".join(b"==> %s <==\n%s\n" % (name.encode(), content) for name, content in files)


def heads(folder, lines=LINES):
    """The first lines of each file of a release."""
    for path in sorted(folder.iterdir()):
        yield path.name, b"\n".join(path.read_bytes().split(b"\n")[:lines])


# A little ESCO whose rows belong together, so that relations are found.
RELATED = [
    ("skills_en.csv", b"conceptUri,skillType,reuseLevel,preferredLabel,altLabels\ns:1,knowledge,cross-sector,weld,\"solder\nbraze\"\ns:2,,,steel,"),
    ("skillGroups_en.csv", b"conceptUri,preferredLabel\ng:1,metal"),
    ("occupations_en.csv", b"conceptUri,iscoGroup,preferredLabel\no:1,7212,welder"),
    ("ISCOGroups_en.csv", b"conceptUri,code,preferredLabel\nc:1,7212,welders"),
    ("broaderRelationsSkillPillar_en.csv", b"conceptType,conceptUri,broaderType,broaderUri\nKnowledgeSkillCompetence,s:1,SkillGroup,g:1\nSkillGroup,g:1,SkillGroup,g:1"),
    ("broaderRelationsOccPillar_en.csv", b"conceptType,conceptUri,broaderType,broaderUri\nOccupation,o:1,ISCOGroup,c:1"),
    ("occupationSkillRelations_en.csv", b"occupationUri,relationType,skillType,skillUri\no:1,essential,knowledge,s:1"),
    ("skillSkillRelations_en.csv", b"originalSkillUri,originalSkillType,relationType,relatedSkillType,relatedSkillUri\ns:1,knowledge,optional,knowledge,s:2"),
]


def zipped(files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files:
            # Of no time in particular, so that each run writes the same bytes.
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, content, compress_type=method)
    return out.getvalue()


SMALL = [("a/skills_en.csv", b"conceptUri,preferredLabel\nu:1,weld\n"), ("occupations_en.csv", b"conceptUri,preferredLabel\nu:2,welder\n")]


def readers():
    for version in ["1.0.0", "1.1.0", "1.1.0-nl"]:
        seed("esco", version, bundle(b"\x01\n", heads(FIXTURES / "mini-esco" / version)))
    seed("esco", "related", bundle(b"\x01\n", RELATED))
    for version in ["27.0", "29.0"]:
        seed("onet", version, bundle(b"\x01\n", heads(FIXTURES / "mini-onet" / version)))
    for at, kind in enumerate(["csv", "tsv", "jsonl", "txt"]):
        lines = (FIXTURES / "tables" / f"skills.{kind}").read_bytes().split(b"\n")[:5]
        seed("table", kind, bytes([1 + 2 * at]) + b"\n".join(lines))
    seed("zip", "deflated", b"\x00" + zipped(SMALL))
    seed("zip", "stored", b"\x00" + zipped(SMALL, zipfile.ZIP_STORED))
    seed("zip", "bundle", bundle(b"\x02", SMALL))
    seed("zip", "onet", bundle(b"\x03", heads(FIXTURES / "mini-onet" / "29.0", 3)))


def models():
    encoders = FIXTURES / "encoder"
    order = ["bert", "asym", "colbert", "dense", "distilbert", "modernbert", "mpnet", "prompts", "roberta", "router", "xlm-roberta"]
    for at, name in enumerate(order):
        folder = encoders / f"tiny-{name}"
        small = [(str(path.relative_to(folder)), path.read_bytes()) for path in sorted(folder.rglob("*.json"))]
        settings = [(path, content) for path, content in small if path not in ("tokenizer.json", "vocab.json")]
        seed("model", f"{name}-settings", bundle(bytes([at, 0]), settings))
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        shorten(tokenizer["model"])
        seed("model", f"{name}-tokenizer", bundle(bytes([at, 0]), [("tokenizer.json", json.dumps(tokenizer, ensure_ascii=False).encode())]))
        if at in (0, 5):
            weights = (folder / "model.safetensors").read_bytes()
            (length,) = struct.unpack("<Q", weights[:8])
            seed("model", f"{name}-weights", bundle(bytes([at, 0]), [("model.safetensors", weights[8 : 8 + length].rstrip())]))


def shorten(model, tokens=60):
    """A vocabulary that a fuzzer can get around in."""
    vocab = model["vocab"]
    kept = dict(list(vocab.items())[:tokens]) if isinstance(vocab, dict) else vocab[:tokens]
    model["vocab"] = kept
    if "merges" in model:
        words = set(kept)
        pairs = [(pair.split(" ") if isinstance(pair, str) else pair, pair) for pair in model["merges"]]
        model["merges"] = [pair for (a, b), pair in pairs if {a, b, a + b} <= words][:tokens]


COMMANDS = {
    "rank": "rank\nm\nesco/skill/en\nSenior data engineer\n--top\n3",
    "where": "rank\nm\nesco@1.1.0/skill/en\n--where\nreuseLevel=cross*\n--where\nbelow=x\nnurse\n--rule\nmaxsim\n--direction\ntarget",
    "file": "rank\nm\nesco/occupation/en\n--file\nqueries.txt\n--format\njsonl\n--top\nall",
    "matrices": "rank\ni\nlist/skill/en\n--matrices\nmatrices.safetensors\n--format\ntsv",
    "explain": "explain\nm\nesco/skill/en\nnurse\ncare for patients\n--temperature\n0.05\n--weights\nraw\n--json",
    "info": "info\ni\n--json",
    "diff": "diff\ni\nlist/skill/en\n1\n2",
    "verify": "verify\ni\n-q",
    "ingest": "ingest\ntable\ni\nskills.csv\n--space\nlist/skill/en",
    "init": "init\nnew.index\n--encoder\nmodel",
    "fetch": "encoder\nfetch\nall-MiniLM-L6-v2\n--to\nmodel",
}


def commands():
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 64]}}).encode()
    matrices = struct.pack("<Q", len(header)) + header + struct.pack("<16f", *range(16))
    for name, text in COMMANDS.items():
        files = [("queries.txt", b"welder\n\nnurse")] if name == "file" else []
        files += [("matrices.safetensors", matrices)] if name == "matrices" else []
        seed("command_line", name, bundle(text.encode() + b"\n", files))


def queries():
    lines = (FIXTURES / "queries" / "titles.txt").read_text().split("\n")[:3]
    for at, text in enumerate(lines + ["", "[CLS] \u202e \u0000 数据工程师"]):
        # The text comes last and takes the rest; what is before it, libFuzzer finds out.
        seed("query", str(at), bytes([10, 0, 0, 0]) + b"\x00" * 4 + text.encode())


def workbench():
    data = FIXTURES / "workbench" / "data"
    for path in sorted(path for path in data.rglob("*") if path.is_file()):
        content = b"\n".join(path.read_bytes().split(b"\n")[:LINES])
        seed("workbench", f"{path.parent.name}-{path.stem}", bundle(b"\x00\n", [(str(path.relative_to(data)), content)]))
    esco = {path.name.replace("_en", ""): path.name for path in (FIXTURES / "mini-esco" / "1.1.0").iterdir()}
    seed("workbench", "esco", bundle(b"\x00\n", [(f"esco/1.1.0/{esco[name.replace('_en', '')]}", content) for name, content in RELATED]))
    seed("workbench", "onet", bundle(b"\x00\n", [(f"onet/29.0/{name}", content) for name, content in heads(FIXTURES / "mini-onet" / "29.0")]))
    for at, path in enumerate([FIXTURES / "train" / "built-in" / "student.toml", FIXTURES / "train" / "minilm" / "short" / "isco-group.toml"]):
        lines = [line for line in path.read_bytes().split(b"\n") if line and not line.startswith(b"#")]
        seed("workbench", f"configuration-{at}", bundle(b"\x08\n", [("train.toml", b"\n".join(lines))]))
    run = {"workindex": "0.1.0", "encoder": None, "systems": ["bm25"], "split": "validation", "held_out": "hash", "one_in": 1,
           "esco": None, "onet": None, "language": "en", "missing": [], "judged": ["title-similarity"]}
    seed("workbench", "run", bundle(b"\x00\n", [("run/run.json", json.dumps(run).encode()), ("run/sets/title-similarity.safetensors", record())]))


def record():
    """Two queries with one and two positives, ranked by one system."""
    head = {"set": "title-similarity", "split": "validation", "query_kind": "occupation", "target_kind": "occupation",
            "origin": {"files": ["qrels.tsv"], "release": None, "mapping": None, "selection": "", "left_out": {}},
            "hash": "", "queries": 2, "targets": 9, "positives": 3, "unembedded": 0,
            "systems": [{"id": "bm25", "description": "", "not_judged": None}],
            "seconds": {"targets": 0.5, "ranking": 0.5, "lexical": 0.5}, "key": "", "version": 1}
    tensors = {"offsets": {"dtype": "I64", "shape": [3], "data_offsets": [0, 24]},
               "ranks": {"dtype": "U32", "shape": [1, 3], "data_offsets": [24, 36]},
               "labels": {"dtype": "U8", "shape": [2], "data_offsets": [36, 38]}}
    header = json.dumps({"__metadata__": {"workindex": json.dumps(head)}, **tensors}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<3q3I2B", 0, 1, 3, 2, 1, 9, 0, 1)


if __name__ == "__main__":
    readers()
    models()
    commands()
    queries()
    workbench()
