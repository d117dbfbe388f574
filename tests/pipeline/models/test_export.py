"""A model by itself: the ONNX head is the head, and the folder says all that is needed."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from huggingface_hub import ModelCard

from features.encoders.description.model import find_model
from features.errors import EncoderError, FaultError, InputError, SettingError
from features.vectors.table import POOLED, FeatureTable
from heads.head import Head
from heads.persistence import onnx_export
from heads.persistence.onnx_export import TOLERANCE, onnx_model
from heads.problem import Problem
from heads.registry import HEADS, Functions, HeadType, make_settings
from heads.settings import HeadSettings, TrainingSettings
from heads.trained import TrainedHead, fit
from heads.training.batches import gather
from pipeline.models.export import write_model
from pipeline.models.model import read_model, read_run
from pipeline.prediction.encoder_check import check_encoder
from pipeline.runs.files import json_format
from pipeline.templating import escape_markdown
from tests.support.cli import BAD, GOOD, QUICK, Command, Run, told, write
from tests.support.tables import cluster_problem, marker_problem

NOT_EXPORTED: set[str] = set()
"""Heads that must be refused, because ONNX cannot hold them."""

VARIANTS = [
    *((name, {}) for name in HEADS),
    ("cnn", {"kernels": (2, 5, 8), "members": 2}),
    ("lstm", {"layers": 2, "pooling": "last", "members": 2}),
    ("lstm", {"bidirectional": False, "pooling": "mean", "max_vectors": 4}),
]


def fitted(name: str, problem: Problem, **settings: object) -> TrainedHead:
    kind = HEADS[name]
    quick = {"epochs": 1} if issubclass(kind.settings, TrainingSettings) else {}
    table = FeatureTable(problem.table.values, problem.table.offsets, kind.layouts[0])
    return fit(
        name,
        make_settings(name, {**quick, **settings}),
        table,
        problem.labels,
        problem.train,
        problem.validation,
        ("a", "b", "c"),
        seed=0,
    )


def trained(name: str, **settings: object) -> tuple[TrainedHead, Problem]:
    pooled = HEADS[name].layouts[0] == POOLED
    problem = cluster_problem() if pooled else marker_problem()
    return fitted(name, problem, **settings), problem


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_the_onnx_head_gives_the_logits_of_the_head(
    name: str, settings: dict[str, object]
) -> None:
    head, problem = trained(name, **settings)
    if name in NOT_EXPORTED:
        with pytest.raises(SettingError, match=f"the head {name} cannot be written as ONNX"):
            onnx_model(head)
        return
    model = onnx_model(head)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    shapes = {each.name: each.shape for each in session.get_inputs()}
    assert shapes == {"x": ["texts", "vectors", head.width], "mask": ["texts", "vectors"]}
    random = np.random.default_rng(1)
    for size, more in ((1, 0), (2, 0), (7, 3), (40, 30)):
        rows = random.permutation(len(problem.table))[:size]
        batch = gather(problem.table, rows)
        # Padding behind the texts, and before them as left-padding encoders leave it.
        pads = (0, more), (more, 0)
        for before, after in pads if problem.table.layout != POOLED else ((0, 0),):
            x = torch.nn.functional.pad(batch.x, (0, 0, before, after), value=9.0).float()
            mask = torch.nn.functional.pad(batch.mask, (before, after))
            (found,) = session.run(["logits"], {"x": x.numpy(), "mask": mask.numpy()})
            with torch.inference_mode():
                expected = head.module(x, mask).numpy()
            assert found.shape == (size, 3)
            assert np.abs(found - expected).max() <= TOLERANCE
            assert np.allclose(
                found, head.logits(replaced(problem, head), rows), atol=TOLERANCE
            )
    assert str(Path(__file__).parents[3]).encode() not in model, "no path of this machine"


def test_the_same_head_is_the_same_bytes() -> None:
    head, _ = trained("logistic")
    assert onnx_model(head) == onnx_model(head)


def replaced(problem: Problem, head: TrainedHead) -> FeatureTable:
    return replace(problem.table, layout=head.layout)


class Stubborn(Head):
    """A head whose operations depend on the values."""

    def __init__(self, settings: HeadSettings, width: int, classes: int) -> None:
        super().__init__()
        self.output = torch.nn.Linear(width, classes)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.output(x.mean(dim=1) if float(x.sum()) > 0 else x[:, 0])


def test_a_head_that_onnx_cannot_hold_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = HEADS["logistic"]
    stubborn = HeadType(
        "stubborn",
        kind.settings,
        kind.layouts,
        ("", ""),
        lambda: Functions(Stubborn, kind.fit, kind.refit),
    )
    monkeypatch.setitem(HEADS, "stubborn", stubborn)
    state = {"output.weight": np.ones((2, 3), "f"), "output.bias": np.ones(2, "f")}
    settings = make_settings("stubborn", {})
    head = TrainedHead("stubborn", settings, ("a", "b"), POOLED, 3, state, (), 0)
    with pytest.raises(SettingError, match="stubborn cannot be written as ONNX") as caught:
        onnx_model(head)
    assert "\n" not in str(caught.value)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    head, _ = trained("logistic")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SettingError, match=r"onnxscript.*pip install 'manyheads\[onnx\]'"):
        onnx_model(head)


def test_an_onnx_head_with_other_logits_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    head, _ = trained("lstm")
    monkeypatch.setattr(onnx_export, "_onnx_gates", lambda weights: weights.detach().clone())
    with pytest.raises(FaultError, match=r"within 0\.0001, but one differs by"):
        onnx_model(head)


@pytest.fixture
def spiky(tmp_path: Path) -> Path:
    """Labels that are markup, and one text longer than the encoder sees."""
    path = tmp_path / "spiky data.csv"
    rows = [[f"{GOOD[i % 4]} {i}", "go*od* | <b>`x`"] for i in range(40)]
    rows += [[f"{BAD[i % 4]} {i}", "bad, very"] for i in range(39)]
    rows += [[f"{' and over' * 60}", "bad, very"]]
    write(path, [["text", "label"], *rows])
    return path


@pytest.mark.usefixtures("real_onnx")
@pytest.mark.parametrize("head", ["logistic", "cnn"])
def test_the_whole_way(run: Run, spiky: Path, tiny_models: dict[str, Path], head: str) -> None:
    shutil.copytree(tiny_models["bert"], "bert")
    settings = QUICK if head != "logistic" else ("--layout", "pooled")
    common = ("train", "--data", spiky, "--encoder", "bert", "--head", head, "--json")
    result = run(*common, *settings).json
    Path("my model").mkdir()
    answer = run("export-model", "--out", "my model", "--json").json
    assert answer["files"] == ["head.safetensors", "head.onnx", "model.json", "README.md"]
    assert answer["run"] == result["run"]
    folder = Path("my model")
    assert sorted(path.name for path in folder.iterdir()) == sorted(answer["files"])
    model = json.loads((folder / "model.json").read_text())
    config = json.loads((Path(result["run"]) / "config.json").read_text())["resolved"]
    assert model["labels"] == config["classes"] == ["bad, very", "go*od* | <b>`x`"]
    assert model["encoder"]["fingerprint"] == config["fingerprint"]
    assert model["encoder"]["spec"]["weights"] == config["spec"]["weights"]
    assert (model["encoder"]["name"], model["encoder"]["folder"]) == ("bert", True)
    assert (model["head"], model["layout"]) == (head, result["layout"])
    assert str(Path.cwd()) not in (folder / "model.json").read_text()
    card_says_what_it_must(folder, result)
    texts = ["rain again", "nobody expected that night"]
    asked = [part for text in texts for part in ("--text", text)]
    before = run("predict", *asked, "--json").json["predictions"]
    after = run("predict", "--run", folder, "--encoder", "bert", *asked, "--json").json
    assert told(after) == [{**one, "unusual": None} for one in before]
    assert after["run"] == "my model"
    the_code_of_the_card_predicts_the_same(folder, texts, before)
    lost = run("predict", "--run", folder, "--text", "x")
    assert lost.code == 2
    assert "in a folder 'bert'; say where that folder is now with --encoder" in lost.err
    explained = run("predict", "--run", folder, "--encoder", "bert", *asked, "--explain")
    assert explained.code == 2
    assert "training.parquet" in explained.err


def card_says_what_it_must(folder: Path, result: dict) -> None:  # type: ignore[type-arg]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| - | - | too few texts ({result['test']['texts']}) for a score |" in card
    assert r"| go\*od\* \| \<b\>\`x\` | " in card
    assert "spiky data.csv" in card
    assert ModelCard(card).data.to_dict()["model_name"] == "my model"
    assert "1 of the 80 texts are longer than the 32 tokens" in card
    assert f"{result['tokens_cut_share']:.1%} of all tokens" in card
    leaked = f"{result['leaked']} of {result['test']['texts']} test texts have a near-duplicate"
    assert (leaked if result["leaked"] else "No test text has a near-duplicate") in card
    assert "**Languages.** Not recorded" in card
    assert str(Path.cwd()) not in card
    rows = re.findall(
        r"^\| (?:bad|go).* \| (\d+) \| (\d+) \| (\d+) \| (?:[\d.]+%)? \|$", card, re.MULTILINE
    )
    assert np.array(rows, dtype=int).sum() == 80
    for note in result["notes"]:
        assert escape_markdown(note) in card


def the_code_of_the_card_predicts_the_same(
    folder: Path, texts: list[str], expected: list[dict[str, object]]
) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    for block in blocks:
        exec(block.replace('["a text", "another one"]', repr(texts)), names)
    labels = names["model"]["labels"]  # type: ignore[index]
    for row, prediction in zip(names["probabilities"], expected, strict=True):  # type: ignore[call-overload]
        found = dict(zip(labels, row.tolist(), strict=True))
        assert found == pytest.approx(prediction["probabilities"], abs=1e-5)


def test_the_card_tells_of_seeds_and_folds(run: Run, train: Command) -> None:
    result = train("logistic", "--seeds", 2, "--folds", 2)
    assert run("export-model", "--out", "m").code == 0
    card = Path("m/README.md").read_text(encoding="utf-8")
    mean = result["over_seeds"]["accuracy"]["mean"]
    assert "the scores are those of 2 heads" in card.lower()
    assert f"Over 2 seeds the mean test accuracy is {mean:.1%}" in card
    rows = re.findall(r"^\| .* \| (\d+) \| (\d+) \| (\d+) \| .* \|$", card, re.MULTILINE)
    assert np.array(rows, dtype=int).sum() == 80, "the split of the first fold alone"


def test_a_head_that_reads_the_first_vectors_says_so(
    run: Run, data: Path, encoder: Path
) -> None:
    common = ("train", "--data", data, "--encoder", encoder, "--head", "cnn")
    run(*common, "--set", "epochs=1", "max_vectors=3")
    assert run("export-model", "--out", "m").code == 0
    card = Path("m/README.md").read_text(encoding="utf-8")
    assert "(one vector per token) the head itself reads the first 3." in card
    told = run("predict", "--text", "rain", "--text", "one two three four five")
    assert "warning: 1 of 2 texts have more than the 3 vectors" in told.err


def test_a_temperature_is_kept_and_used(train: Command, tmp_path: Path) -> None:
    result = train("logistic")
    folder = Path(result["run"])
    model = read_run(folder)
    warm = replace(model, head=replace(model.head, temperature=2.5))
    write_model(warm, folder, tmp_path / "warm")
    assert json.loads((tmp_path / "warm" / "model.json").read_text())["temperature"] == 2.5
    assert (
        "temperature, 2.5, which validation chose"
        in (tmp_path / "warm" / "README.md").read_text()
    )
    again = read_model(tmp_path / "warm")
    assert again.head.temperature == 2.5
    assert again.spec == model.spec
    assert again.head.classes == model.head.classes


def test_what_cannot_be_exported_is_said_and_nothing_is_left(
    run: Run, train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no finished run" in refusal(run("export-model", "--out", "m"))
    result = train("logistic")
    assert "no run 'other'" in refusal(run("export-model", "other", "--out", "m"))
    assert "no folder nowhere" in refusal(run("export-model", "--out", "nowhere/m"))
    Path("full").mkdir()
    Path("full", "file").touch()
    for taken in ("full", "full/file"):
        assert "not an empty folder" in refusal(run("export-model", "--out", taken))
    assert "is the current folder" in refusal(run("export-model", "--out", "."))
    before = sorted(path.name for path in Path().iterdir())

    def fail(path: Path, value: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(json_format, "write_json", fail)
        assert "No space left" in refusal(run("export-model", "--out", "m"))
    assert sorted(path.name for path in Path().iterdir()) == before
    folder = Path(result["run"])
    for name, change in DAMAGED_RUNS:
        kept = (folder / name).read_text()
        (folder / name).write_text(json.dumps(change(json.loads(kept))))
        err = refusal(run("export-model", "--out", "m"))
        assert "damaged" in err, name
        assert "train" in err, name
        (folder / name).write_text(kept)
    (folder / "predictions.parquet").write_bytes(b"PAR1")
    assert "is damaged" in refusal(run("export-model", "--out", "m"))
    weights = folder / "head.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    assert "does not match the digest" in refusal(run("export-model", "--out", "m"))
    (folder / "config.json").write_text("{}")
    assert "config.json is damaged" in refusal(run("export-model", "--out", "m"))
    assert sorted(path.name for path in Path().iterdir()) == before


def with_spec(config: dict[str, Any], spec: object) -> dict[str, Any]:
    return {**config, "resolved": {**config["resolved"], "spec": spec}}


DAMAGED_RUNS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("metrics.json", lambda metrics: {k: v for k, v in metrics.items() if k != "refit"}),
    ("metrics.json", lambda metrics: {k: v for k, v in metrics.items() if k != "classes"}),
    ("metrics.json", lambda metrics: {**metrics, "test": None}),
    ("metrics.json", lambda metrics: []),
    ("config.json", lambda config: with_spec(config, ["a"])),
    (
        "config.json",
        lambda config: with_spec(config, {**config["resolved"]["spec"], "layers": 4}),
    ),
]
"""A file of a run, and how it is damaged or older than this version."""


def refusal(output: object) -> str:
    assert output.code == 2  # type: ignore[attr-defined]
    err: str = output.err  # type: ignore[attr-defined]
    assert err.count("\n") == 1
    return err


DAMAGES: list[tuple[dict[str, object], str]] = [
    ({"version": 9}, "format version 9, this program reads 1"),
    ({"labels": None}, "model.json is damaged"),
    ({"labels": ["one"]}, "does not hold the head"),
    ({"temperature": 0.0}, "model.json is damaged"),
    ({"sha256": {}}, "does not match the digest"),
]


def test_a_damaged_model_folder_is_noticed(run: Run, train: Command, encoder: Path) -> None:
    train("logistic")
    assert run("export-model", "--out", "m").code == 0
    path = Path("m/model.json")
    whole = json.loads(path.read_text())
    for change, words in DAMAGES:
        path.write_text(json.dumps({**whole, **change}))
        err = refusal(run("predict", "--run", "m", "--encoder", encoder, "--text", "x"))
        assert words in err, change


def test_predict_says_in_what_an_encoder_differs(tiny_models: dict[str, Path]) -> None:
    model = find_model(str(tiny_models["bert"]))
    spec = model.spec("tokens", (0, 2), precision="bfloat16")
    check_encoder(model, spec, Path("r"))
    cases = {
        "max_length (16, not 32)": replace(model, max_length=16),
        f"tokenizer (ab, not {model.tokenizer[:12]}...)": replace(model, tokenizer="ab"),
        f"weights (cd, not {model.weights[:12]}...)": replace(model, weights="cd"),
        "layers (1, not 0,2), width (16, not 32)": replace(model, depth=1),
    }
    for words, other in cases.items():
        with pytest.raises(EncoderError) as caught:
            check_encoder(other, spec, Path("r"))
        assert f"differs in {words}; pass the right one" in str(caught.value)
    prompted = replace(model, prompt="query: ", max_length=8)
    with pytest.raises(
        InputError, match=r"prompt \('query: ', not ''\), max_length \(8, not 32"
    ):
        check_encoder(prompted, spec, Path("r"))


def test_predict_counts_truncated_texts(run: Run, train: Command) -> None:
    train("logistic", "--layout", "pooled")
    out = run("predict", "--text", "and over " * 60, "--text", "rain", "--json")
    assert "1 of 2 texts are longer than the 32 tokens" in out.err
    assert out.json["truncated"] == 1
