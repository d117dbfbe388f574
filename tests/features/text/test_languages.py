"""The language that texts look like, and whether an encoder reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.encoders.description.languages import languages_of
from features.encoders.description.model import EncoderModel
from features.text.languages import NAMES, foreign_language, language_of
from pipeline.encoding.foreign import foreign_to
from tests.support.cli import BAD, GOOD
from tests.support.mails import MAILS

TEXTS = {
    "en": "What a lovely day this is, and how they laughed!",
    "de": "Ich möchte die Rechnung prüfen; sie ist wohl falsch.",
    "fr": "Je suis très déçu par la qualité, même le café était froid.",
    "es": "No me gusta la comida de este hotel, pero el servicio es bueno.",
    "it": "Il servizio non è buono, ma la camera era molto pulita.",
    "pt": "Não gostei da comida, mas o serviço foi muito bom.",
    "nl": "Ik heb het pakket niet ontvangen en wil graag mijn geld terug.",
    "sv": "Jag har inte fått mitt paket och vill ha pengarna tillbaka.",
    "fi": "En ole saanut pakettia ja se oli jo maksettu, mutta ei haittaa.",
    "pl": "Nie dostałem paczki i proszę o zwrot pieniędzy za to zamówienie.",
    "cs": "Žádám o vrácení peněz, protože zboží přišlo poškozené.",
    "hu": "Nem kaptam meg a csomagot, és kérem vissza a pénzem, mert ez így nem jó.",
    "ro": "Nu am primit pachetul și vreau banii înapoi pentru că este stricat.",
    "tr": "Ürün çok geç geldi ve bu kadar kötü bir paket için para verdim.",
    "ru": "Прошу вернуть деньги, потому что заказ не пришёл.",
    "uk": "Прошу повернути гроші, бо замовлення не прийшло, їх немає.",
    "el": "Παρακαλώ επιστρέψτε τα χρήματα.",
    "ar": "أرجو إعادة المبلغ لأن الطلب لم يصل.",
    "he": "אנא החזירו את הכסף.",
    "hi": "कृपया पैसे वापस करें।",
    "th": "สินค้าดีมาก",
    "zh": "这个产品的质量非常好。iPhone 也不错",
    "ja": "この商品はとても良いです。",
    "ko": "이 제품은 정말 좋아요.",
}


@pytest.mark.parametrize("code", TEXTS)
def test_the_language_of_a_text(code: str) -> None:
    assert language_of(TEXTS[code]) == code
    assert code in NAMES


@pytest.mark.parametrize("text", ["", "42", "!!", "Xqz brtz", "order 7 9"])
def test_a_text_without_signs_has_no_language(text: str) -> None:
    assert language_of(text) == ""


def test_a_good_part_must_be_foreign_and_enough_texts_must_have_a_language() -> None:
    german = [text for text, _ in MAILS]
    english = [TEXTS["en"]] * len(german)
    assert foreign_language(("en",), german) == ("de", 1.0)
    assert foreign_language(("en",), english + german) == ("de", 0.5)
    assert foreign_language(("en", "de"), german) is None
    assert foreign_language(None, german) is None
    assert foreign_language(("en",), english * 4 + german) is None
    assert foreign_language(("en",), english + german[:2]) is None
    assert foreign_language(("en",), ["12 34"] * 100 + german[:9]) is None
    assert foreign_language(("en",), [TEXTS["de"]]) == ("de", 1.0)
    assert foreign_language(("en",), GOOD + BAD) is None


def test_the_sentence_names_encoders_that_read_it() -> None:
    found = foreign_to(frozenset(("en",)), [TEXTS["de"]] * 9, "all-MiniLM-L6-v2")
    assert found is not None
    assert (found.language, found.name, found.share) == ("de", "German", 1.0)
    assert found.text.startswith(
        "most of these texts look German, and the encoder all-MiniLM-L6-v2 reads English: "
    )
    assert "--encoder sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2" in found.text
    chinese = foreign_to(frozenset(("en",)), [TEXTS["zh"]], "x")
    assert chinese is not None
    assert "--encoder BAAI/bge-small-zh-v1.5 or --encoder sentence-" in chinese.text
    english = foreign_to(frozenset(("zh",)), [TEXTS["en"]] * 3, "x")
    assert english is not None
    assert english.text.endswith("such as --encoder all-MiniLM-L6-v2")


def model(name: str, folder: Path) -> EncoderModel:
    """An encoder of which nothing counts but its name and folder."""
    facts = {"family": "bert", "width": 4, "depth": 1, "max_length": 8, "pooling": "mean"}
    more = {"pooled_width": 4, "normalize": True, "prompt": "", "weights": "", "tokenizer": ""}
    return EncoderModel(name=name, folder=folder, transformer=folder, **facts, **more)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("all-MiniLM-L6-v2", {"en"}),
        ("sentence-transformers/all-mpnet-base-v2@main", {"en"}),
        ("BAAI/bge-small-en-v1.5", {"en"}),
        ("BAAI/bge-small-zh-v1.5", {"zh"}),
        ("BAAI/bge-m3", None),
        ("intfloat/multilingual-e5-small", None),
        ("intfloat/e5-small-v2", {"en"}),
        ("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", None),
        ("bert-base-uncased", {"en"}),
        ("bert-base-multilingual-cased", None),
        ("bert-base-german-cased", {"de"}),
        ("someone/something", None),
    ],
)
def test_the_name_of_an_encoder_says_what_it_reads(
    tmp_path: Path, name: str, codes: set[str] | None
) -> None:
    assert languages_of(model(name, tmp_path)) == codes


@pytest.mark.parametrize(
    ("card", "codes"),
    [
        ("---\nlanguage: en\ntags: [x]\n---\n", {"en"}),
        ("---\nlicense: mit\nlanguage:\n- de\n- fr\npipeline_tag: x\n---\n", {"de", "fr"}),
        ("---\nlanguage: [zh, en]\n---\n", {"en", "zh"}),
        ("---\nlanguage:\n  - multilingual\n  - af\n---\n", None),
        ("# A card without a head\nlanguage: de\n", {"en"}),
    ],
)
def test_the_card_of_an_encoder_counts_more_than_its_name(
    tmp_path: Path, card: str, codes: set[str] | None
) -> None:
    (tmp_path / "README.md").write_text(card)
    (tmp_path / "config.json").write_text('{"_name_or_path": "x/all-mpnet-base-v2"}')
    assert languages_of(model(str(tmp_path), tmp_path)) == codes
