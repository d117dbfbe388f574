"""The language that texts look like: by script, and in Latin script by function words.

A rule of a few hundred words, for notes to people: it knows the main languages of Europe and
the scripts of others, and leaves texts undecided that have neither. py3langid would know more,
but it unpickles its model; lingua and fasttext weigh far more than a note is worth.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

ENGLISH = "en"

NAMES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "sv": "Swedish",
    "da": "Danish",
    "no": "Norwegian",
    "fi": "Finnish",
    "pl": "Polish",
    "cs": "Czech",
    "hu": "Hungarian",
    "ro": "Romanian",
    "tr": "Turkish",
    "ru": "Russian",
    "uk": "Ukrainian",
    "el": "Greek",
    "ar": "Arabic",
    "fa": "Persian",
    "he": "Hebrew",
    "hi": "Hindi",
    "th": "Thai",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
}
"""ISO 639-1 code -> name."""

SCRIPTS = {
    "ja": re.compile("[\u3041-\u30ff]"),
    "ko": re.compile("[\uac00-\ud7af\u1100-\u11ff]"),
    "zh": re.compile("[\u3400-\u9fff\uf900-\ufaff]"),
    "uk": re.compile("[іїєґІЇЄҐ]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "el": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "fa": re.compile("[پچژگ]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "hi": re.compile("[\u0900-\u097f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}
"""Language -> letters of its script; of two that a text has, the first in this order counts."""

WIDER = {
    "ja": re.compile("[\u3041-\u30ff\u3400-\u9fff]"),
    "uk": SCRIPTS["ru"],
    "fa": SCRIPTS["ar"],
}
"""Languages whose own letters stand among those of another script."""

LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
WORD = re.compile(r"[^\W\d_]+")

FUNCTION_WORDS = {
    "en": "the and of to is it you that was for are with his they be have this from had not "
    "but what were we when your said an she which their will would there my he i me "
    "do did can how been who its our has",
    "de": "der die das und ist nicht ich ein eine einen einem einer zu mit auf für von den "
    "dem des sich auch es an als bei nach wie wir sie er ihr mein mich mir bitte sind "
    "war haben habe hat wird wurde werden kann aber oder nur noch wenn dass über aus "
    "zum zur seit ihre",
    "fr": "le les des et est une pas je il elle que qui dans pour sur avec ce cette ne vous "
    "nous mais ont été sont au aux du plus par mon ma mes votre j'ai c'est très bien "
    "où la",
    "es": "el los las y es una que en por para con no se su lo pero muy más como del al "
    "este esta está mi me te le ha son fue todo cuando también porque hay ser yo la",
    "it": "il gli e è una che di per non con sono mi si del della dei delle nel nella alla "
    "al questo questa ma molto più come ho ha anche stato perché da lo i la",
    "pt": "o os as e é uma um que em para com não por do da dos das no na se mais como mas "
    "foi ao muito está eu meu minha isso este esta também você ele ela",
    "nl": "de het een en van is dat niet ik op te zijn met voor aan er maar om ook als bij "
    "nog wel naar uit dan wat heb heeft wordt mijn deze werd kan geen je hij wij",
    "sv": "och att det som en på är av för med den till inte om ett han men var jag sig "
    "från så kan när hade skulle har hon också eller mycket mig vi du",
    "da": "og at det er en til på som med for den af ikke de der et jeg har han var fra men "
    "om sig kan så ved også eller meget mig vi du efter hvad nogle blev",
    "no": "og at det er en til på som med for den av ikke de et jeg har han var fra men om "
    "seg kan så ved også eller mye meg vi du etter hva noen ble bare",
    "fi": "ja on ei että se hän oli mutta ovat kun niin myös tai olen minä mitä kuin joka "
    "jos sen vain ole nyt oli siitä tämä olla sitä ollut",
    "pl": "i w nie na się z że do jest to co jak ale po tak za od o dla przez czy ja był "
    "była był są ma tylko już jego może mnie oraz który która bardzo",
    "cs": "v se na je že jsem ale jako za pro jak ve po jeho si tak bylo byl jsou nebo "
    "který která které není už při také",
    "hu": "a az és hogy nem is egy van volt ez meg de csak már mint el ha ki még azt sem "
    "lehet kell nagyon én vagy aki amely után",
    "ro": "și în de la a cu nu o pe că este un din pentru mai care sunt am fost ca să dar "
    "au foarte fi lui ce după acest această",
    "tr": "ve bir bu için çok ile da de ne daha ama gibi kadar ben sonra var olarak değil "
    "en mi her o şey diye yok olan ancak",
}
"""Language -> words that most of its texts have."""

LETTERS = {
    "de": "ßäöü",
    "fr": "œçèêûî",
    "es": "ñ¿¡",
    "pt": "ãõ",
    "sv": "å",
    "da": "øæ",
    "no": "øæ",
    "pl": "łżśąęźć",
    "cs": "řěů",
    "hu": "őű",
    "ro": "șțăşţ",
    "tr": "ğış",
}
"""Language -> letters that count as two of its words in a text that has any of them."""


def _known() -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}
    for code, words in FUNCTION_WORDS.items():
        for word in dict.fromkeys(words.split()):
            known.setdefault(word, []).append(code)
    return known


KNOWN = _known()
"""Word -> the languages that it is a function word of."""

MAX_CHARACTERS = 1000
"""Characters of a text that are looked at."""

MIN_SHARE, MOST = 0.25, 0.5
"""Minimum share of the texts with a language that must be in a foreign one; from which on it is
most of them."""

MIN_DECIDED = 0.2
"""Minimum share of all texts that must have a language."""

MIN_TEXTS = 3
"""Minimum texts in the foreign language; a sample of fewer texts needs all of them."""


@dataclass(frozen=True)
class ForeignTexts:
    """Texts in a language that an encoder does not read.

    Attributes:
        language: its ISO 639-1 code.
        share: of the texts whose language is known, in (0, 1].
        text: a sentence for people: the language, and what would read it.
    """

    language: str
    share: float
    text: str

    @property
    def name(self) -> str:
        """The language's name in English."""
        return NAMES[self.language]


def language_of(text: str) -> str:
    """Return the language that a text looks like; "" if it has no sign of any.

    >>> language_of("Wo ist meine Rechnung?"), language_of("where is it"), language_of("42")
    ('de', 'en', '')
    """
    text = text[:MAX_CHARACTERS]
    latin = len(LATIN.findall(text))
    for language, letters in SCRIPTS.items():
        written = len(WIDER.get(language, letters).findall(text))
        if written > latin / 3 and letters.search(text):
            return language
    counts: Counter[str] = Counter()
    for word in WORD.findall(text.lower()):
        counts.update(KNOWN.get(word, ()))
    lowered = set(text.lower())
    for code, own in LETTERS.items():
        if lowered & set(own):
            counts[code] += 2
    ranked = counts.most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return ""
    return ranked[0][0]


def foreign_language(
    known: Collection[str] | None, texts: Iterable[str]
) -> tuple[str, float] | None:
    """Return the language, and its share, that most texts have of those not known.

    Args:
        known: ISO 639-1 codes; None: every language is, or nobody says.
        texts: a sample.

    Returns:
        None if few texts are in such a language, or too few have a known one at all.
    """
    if known is None:
        return None
    found = Counter(map(language_of, texts))
    total = found.total()
    decided = total - found[""]
    foreign = {code: n for code, n in found.items() if code and code not in known}
    if not foreign:
        return None
    language = max(foreign, key=lambda code: foreign[code])
    few = foreign[language] < min(MIN_TEXTS, total)
    if few or decided < MIN_DECIDED * total or foreign[language] < MIN_SHARE * decided:
        return None
    return language, foreign[language] / decided
