"""Encodings of text files: recognised by their bytes, where a file is not UTF-8.

A file that is valid UTF-8 is UTF-8. Otherwise every encoding of ``CANDIDATES`` is tried, and
the one wins whose characters beyond ASCII are best explained by a language that it is used for.
charset-normalizer was tried first: it took French, Turkish, Japanese and short German files in
their usual encodings for others.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable

from features.errors import SettingError

UTF8, UTF8_SIGNED = "utf-8", "utf-8-sig"
"""UTF-8, and the codec that leaves a byte-order mark out."""

MAX_LETTERS = 20_000
"""Maximum characters of a sample that are judged."""

MIN_SCORE = 0.5
"""Minimum share of a file's characters beyond ASCII, less twice the odd ones, that a language
must explain for its encoding to be taken."""

LATIN = {
    "german": "äöüßÄÖÜé",
    "french": "éèêëàâçùûüîïôœæÉÈÊÀÂÇÔŒ",
    "spanish": "áéíóúñüÁÉÍÓÚÑªº",
    "portuguese": "ãõáéíóúâêôçàÃÕÁÉÍÓÚÂÊÔÇÀªº",
    "italian": "àèéìòùÀÈÉÌÒÙ",
    "nordic": "åäöæøéÅÄÖÆØÉ",
    "icelandic": "áéíóúýþæöðÁÉÍÓÚÝÞÆÖÐ",
}
CENTRAL = {
    "polish": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ",
    "czech": "áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ",
    "slovak": "áäčďéíĺľňóôŕšťúýžÁÄČĎÉÍĹĽŇÓÔŔŠŤÚÝŽ",
    "hungarian": "áéíóöőúüűÁÉÍÓÖŐÚÜŰ",
    "romanian": "ăâîşţĂÂÎŞŢ",
    "croatian": "čćđšžČĆĐŠŽ",
}
RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯІЇЄҐЎ№"
GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏ"
BALTIC = {
    "lithuanian": "ąčęėįšųūžĄČĘĖĮŠŲŪŽ",
    "latvian": "āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽ",
    "estonian": "äõöüšžÄÕÖÜŠŽ",
}
HEBREW = "".join(map(chr, range(0x05D0, 0x05EB)))
ARABIC = "".join(map(chr, (*range(0x0621, 0x063B), *range(0x0641, 0x0653), 0x060C, 0x061F)))
THAI = "".join(map(chr, (*range(0x0E01, 0x0E3B), *range(0x0E40, 0x0E4F))))
PUNCTUATION = frozenset("„“”‚‘’–—…«»‹›€£§°·•¿¡´©®™\u00a0")
WIDE_PUNCTUATION = frozenset("，。！？、；：“”‘’（）《》「」『』【】…—・～％　ー")

LETTERS: dict[str, dict[str, str]] = {
    "cp1252": LATIN,
    "cp1250": CENTRAL,
    "iso8859_2": CENTRAL,
    "cp1251": {"russian": RUSSIAN},
    "koi8_r": {"russian": RUSSIAN},
    "cp866": {"russian": RUSSIAN},
    "cp1253": {"greek": GREEK},
    "cp1254": {"turkish": "çğıöşüÇĞİÖŞÜâîû"},
    "cp1257": BALTIC,
    "cp1255": {"hebrew": HEBREW},
    "cp1256": {"arabic": ARABIC},
    "cp874": {"thai": THAI},
    "cp850": LATIN,
    "mac_roman": LATIN,
}
"""Encodings of one byte per character -> language -> its letters beyond ASCII."""

MIXING = ("cp1252", "cp1250", "iso8859_2", "cp1254", "cp1257", "cp850", "mac_roman")
"""Those whose words mix ASCII letters with others."""

WIDE = {
    "gb18030": ("gb2312", 0xB0, 0xD7),
    "cp932": ("shift_jis", 0x88, 0x97),
    "euc_jp": ("shift_jis", 0x88, 0x97),
    "big5": ("big5", 0xA4, 0xC6),
    "cp949": ("euc_kr", 0xB0, 0xC8),
}
"""Encodings of several bytes per character -> the standard and its first bytes of characters in
everyday use."""

KANA = "のにはをたがでてとしれさいるなかまっすもりこうきくあ"
CYRILLIC = "оеаинтсрвл"
FREQUENT = {
    "gb18030": (
        "的一是不了人我在有他这中大来上个到说们为子和你地出也时得就那要下以生会自去好很",
        0.05,
    ),
    "big5": (
        "的一是不了人我在有他這中大來上個到說們為子和你地出也時得就那要下以生會自去好很",
        0.05,
    ),
    "cp949": ("이다는을의가에고하로도은한기지를서사리어인나대자수아시해요그게니라", 0.05),
    "cp932": (KANA, 0.05),
    "euc_jp": (KANA, 0.05),
    "cp1251": (CYRILLIC, 0.5),
    "koi8_r": (CYRILLIC, 0.5),
    "cp866": (CYRILLIC, 0.5),
    "cp1253": ("αοιετσνηυρπκμλό", 0.5),
    "cp1255": ("יוהלארתשמבנכ", 0.5),
    "cp874": ("านรกอเงมยวลสดทต\u0e48\u0e49\u0e31\u0e35", 0.5),
    "cp1256": ("اليمونرتبةعدس", 0.5),
}
"""The most frequent characters of the languages written in these encodings, and their minimum
share of a text's."""

INFREQUENT = 0.2
"""What is taken off the score of an encoding whose frequent characters are rare."""

CANDIDATES = (*LETTERS, *WIDE)
"""In the order in which equal ones are preferred."""

SHOWN = {
    "cp1252": "windows-1252",
    "cp1250": "windows-1250",
    "cp1251": "windows-1251",
    "cp1253": "windows-1253",
    "cp1254": "windows-1254",
    "cp1255": "windows-1255",
    "cp1256": "windows-1256",
    "cp1257": "windows-1257",
    "cp932": "shift_jis",
    "iso8859_2": "iso-8859-2",
    "koi8_r": "koi8-r",
    "euc_jp": "euc-jp",
    "mac_roman": "mac-roman",
}
BEYOND_ASCII = re.compile(r"[^\x00-\x7f\ufeff]")
WORD = re.compile(r"\w*[^\W\x00-\x7f]\w*")


def check_encoding(name: str) -> None:
    """Refuse what names no encoding of text. Raises ``SettingError``."""
    try:
        "".encode(name)
        "\n".encode(codecs.lookup(name).name)
    except (LookupError, ValueError):
        raise SettingError(
            f"--encoding takes the name of an encoding, such as windows-1252 or utf-16; got "
            f"{name!r}"
        ) from None


def shown(encoding: str) -> str:
    """Return the usual name of an encoding: ``cp1252`` is windows-1252."""
    return SHOWN.get(encoding, encoding.replace("_", "-"))


def word_beyond_ascii(text: str) -> str:
    """Return the first word with a letter beyond ASCII, which shows whether the encoding is
    right; "" if there is none."""
    found = WORD.search(text)
    return found[0][:20] if found else ""


def is_utf8(data: bytes) -> bool:
    """Return whether bytes are UTF-8, but for damaged places and lone surrogates.

    The end may be cut off within a character.
    """
    try:
        codecs.getincrementaldecoder(UTF8)("surrogatepass").decode(data)
        return True
    except UnicodeDecodeError:
        text = data.decode(UTF8, "surrogateescape")
    beyond: list[str] = BEYOND_ASCII.findall(text)
    bad = sum("\udc80" <= char <= "\udcff" for char in beyond)
    return 2 * bad <= len(beyond)


def recognise(data: bytes) -> str:
    """Return the encoding of bytes that are not UTF-8; "" if none explains them.

    Args:
        data: whole lines, but for the last.
    """
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    best, found = MIN_SCORE, ""
    for encoding in CANDIDATES:
        score = _score(lines, encoding)
        if score > best:
            best, found = score, encoding
    return found


def _score(lines: list[bytes], encoding: str) -> float:
    """Return how well an encoding explains some lines, at most 1; -1 if it does not decode.

    The last line may end within a character.
    """
    texts, letters = [], 0
    for index, line in enumerate(lines):
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            if index < len(lines) - 1 or len(lines) == 1 or error.end < len(line) - 3:
                return -1.0
            continue
        texts.append(text)
        letters += sum(not char.isascii() for char in text)
        if letters > MAX_LETTERS:
            break
    characters, expected = FREQUENT.get(encoding, ("", 0.0))
    frequent = sum(text.count(char) for text in texts for char in characters)
    penalty = INFREQUENT * (frequent < expected * letters)
    if encoding in WIDE:
        everyday = _Everyday(*WIDE[encoding])
        return _share(texts, everyday, WIDE_PUNCTUATION, joins=False) - penalty
    joins = encoding in MIXING
    known = LETTERS[encoding].values()
    return max(_share(texts, frozenset(each), PUNCTUATION, joins) for each in known) - penalty


class _Everyday(dict[str, bool]):
    """Characters -> whether they are in everyday use; filled as characters occur."""

    def __init__(self, standard: str, first: int, last: int) -> None:
        super().__init__()
        self.standard, self.first, self.last = standard, first, last

    def __contains__(self, char: object) -> bool:
        return self[str(char)]

    def __missing__(self, char: str) -> bool:
        if "\u3041" <= char <= "\u30fe":  # kana
            japanese = self.standard == "shift_jis"
            self[char] = japanese
            return japanese
        try:
            code = char.encode(self.standard)
        except UnicodeEncodeError:
            code = b""
        everyday = len(code) == 2 and self.first <= code[0] <= self.last
        self[char] = everyday
        return everyday


def _share(
    texts: Iterable[str],
    known: frozenset[str] | _Everyday,
    punctuation: frozenset[str],
    joins: bool,
) -> float:
    """Return the share of characters beyond ASCII that are known, less twice the odd ones.

    Odd are capitals behind small letters, signs between letters, control characters, and
    letters that stand between ASCII letters though their script does not mix with them.

    Args:
        known: letters of a language.
        punctuation: signs that its texts have.
        joins: whether its words mix ASCII letters with others.
    """
    total = good = odd = 0
    for text in texts:
        padded = f" {text} "
        for index, char in enumerate(padded):
            if char.isascii():
                continue
            total += 1
            before, after = padded[index - 1], padded[index + 1]
            if char in punctuation:
                inside = before.isalpha() and (after.isalpha() or char in "¿¡")
                inside &= char not in "’‘·　・ー"
                good += not inside
                odd += inside and joins
            elif not char.isalpha() and char not in known:
                odd += (
                    before.isalpha()
                    or after.isalpha()
                    or "\u2500" <= char <= "\u259f"  # lines and blocks of a terminal
                    or unicodedata.category(char)[0] not in "SN"
                )
            elif (char.isupper() and before.islower()) or (
                not joins and before.isascii() and before.isalpha()
            ):
                odd += 1
            else:
                good += char in known
    return (good - 2 * odd) / total if total else -1.0
