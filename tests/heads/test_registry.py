"""Names, layouts and settings: what is refused, and with which words."""

from __future__ import annotations

import pytest

from features.errors import SettingError
from features.vectors.table import POOLED, SENTENCES, TOKENS
from heads.registry import HEADS, check_layout, head_type, make_settings


def refusal(name: str, overrides: dict[str, object]) -> str:
    with pytest.raises(SettingError) as caught:
        make_settings(name, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_natural_layouts() -> None:
    assert {name: head.layouts[0] for name, head in HEADS.items()} == {
        "logistic": POOLED,
        "cnn": TOKENS,
        "lstm": TOKENS,
        "cnn_lstm": TOKENS,
        "attention": TOKENS,
        "meanmax": TOKENS,
        "mlp": POOLED,
        "knn": POOLED,
    }
    check_layout("lstm", SENTENCES)
    check_layout("cnn", TOKENS)
    check_layout("logistic", POOLED)
    check_layout("meanmax", SENTENCES)


def test_an_unknown_head_lists_the_known_ones() -> None:
    with pytest.raises(SettingError, match="'svm'; choose one of: logistic, knn, mlp"):
        head_type("svm")


@pytest.mark.parametrize("name", ["cnn", "lstm", "cnn_lstm", "attention", "meanmax"])
def test_a_pooled_vector_has_no_time_axis(name: str) -> None:
    with pytest.raises(SettingError, match=r"no time axis.*takes: tokens, sentences"):
        check_layout(name, POOLED)


def test_logistic_wants_one_vector_a_text() -> None:
    with pytest.raises(SettingError, match="not take the layout 'tokens'; it takes: pooled"):
        check_layout("logistic", TOKENS)


@pytest.mark.parametrize("name", HEADS)
def test_every_head_and_setting_explains_itself(name: str) -> None:
    head = HEADS[name]
    assert len(head.summary) == 2
    assert all(line and "\n" not in line for line in head.summary)
    for field in head.settings.model_fields.values():
        assert field.description
        assert "\n" not in field.description


@pytest.mark.parametrize("name", HEADS)
def test_defaults_are_valid_and_come_back_from_text(name: str) -> None:
    defaults = make_settings(name, {})
    typed = {
        setting: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for setting, value in defaults
    }
    assert make_settings(name, typed) == defaults
    assert make_settings(name, defaults.model_dump(mode="json")) == defaults


def test_text_becomes_the_type_of_the_setting() -> None:
    lstm = make_settings("lstm", {"units": "64", "bidirectional": "false", "dropout": "0.25"})
    values = lstm.model_dump()
    assert (values["units"], values["bidirectional"], values["dropout"]) == (64, False, 0.25)
    assert make_settings("cnn", {"kernels": "2, 3,4"}).model_dump()["kernels"] == (2, 3, 4)
    assert make_settings("cnn", {"kernels": "5"}).model_dump()["kernels"] == (5,)
    assert make_settings("cnn", {"kernels": 5}).model_dump()["kernels"] == (5,)
    assert make_settings("logistic", {"c": 0.5}).model_dump()["c"] == (0.5,)
    assert make_settings("logistic", {"c": "1,0.1"}).model_dump()["c"] == (0.1, 1.0)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_settings("lstm", {}).units = 3


def test_an_unknown_setting_lists_the_choices() -> None:
    message = refusal("lstm", {"unitz": "64"})
    assert message.startswith(
        "head lstm has no setting 'unitz' (did you mean units?); choose from: "
    )
    for setting in HEADS["lstm"].settings.model_fields:
        assert setting in message


@pytest.mark.parametrize(
    ("name", "setting", "value", "words"),
    [
        ("lstm", "units", "0", "setting units of lstm is '0': input should be greater than"),
        ("lstm", "units", "many", "units of lstm is 'many': input should be a valid integer"),
        ("lstm", "pooling", "first", "'last', 'max' or 'mean'"),
        ("lstm", "learning_rate", "nan", "learning_rate of lstm is 'nan'"),
        ("cnn", "kernels", "", "kernels of cnn is ''"),
        ("cnn", "kernels", "2,x", "kernels of cnn is '2,x': input should be a valid integer"),
        ("cnn", "kernels", "0,2", "greater than or equal to 1"),
        ("cnn", "dropout", "1", "dropout of cnn is '1': input should be less than 1"),
        ("cnn", "precision", "float16", "'auto', 'float32' or 'bfloat16'"),
        ("cnn", "pooling", "flatten", "so set max_vectors as well"),
        ("cnn", "padding", "full", "'same' or 'valid'"),
        ("lstm", "dense", "0", "greater than or equal to 1"),
        ("lstm", "dense_activation", "swish", "'relu', 'elu', 'tanh', 'sigmoid' or 'gelu'"),
        ("lstm", "recurrent_dropout", "1", "should be less than 1"),
        ("lstm", "optimizer", "lion", "'adamw', 'adam', 'rmsprop' or 'sgd'"),
        ("lstm", "hardest", "0", "greater than or equal to 1"),
        ("cnn_lstm", "pool", "0", "greater than or equal to 1"),
        ("knn", "k", "0,1", "greater than or equal to 1"),
        ("logistic", "c", "0,1", "c of logistic is '0,1': every value must be greater than 0"),
    ],
)
def test_a_value_out_of_range_says_rule_value_place_and_remedy(
    name: str, setting: str, value: str, words: str
) -> None:
    message = refusal(name, {setting: value})
    assert words in message
    assert f"for example --set {setting}=" in message
    assert (HEADS[name].settings.model_fields[setting].description or "?") in message
