"""German mails with their topics, as people have them in Excel."""

from __future__ import annotations

import csv
import io
from pathlib import Path

TEMPLATES = {
    "Rechnung": (
        "Die Rechnung {0} ist falsch, bitte prüfen Sie den Betrag; danke.",
        "Warum wurde mir die Nummer {0} doppelt abgebucht?\nBitte erklären Sie die Buchung.",
    ),
    "Zugang": (
        "Mein Passwort geht nicht mehr, können Sie es zurücksetzen? Konto {0}",
        'Beim Anmelden erscheint "Zugang {0} gesperrt", was muss ich tun?',
    ),
    "Lieferung": (
        "Wo bleibt mein Paket {0}? Es ist seit Tagen überfällig!",
        "Die Bestellung {0} kam beschädigt in der Müllerstraße an.",
    ),
}
FILLERS = (
    *("Köln", "gestern", "Büro", "heute", "größer", "morgen", "leider"),
    *("schließlich", "wieder", "dringend", "Gruß"),
)


def _mails(count: int) -> list[tuple[str, str]]:
    mails = []
    for number in range(count):
        label = list(TEMPLATES)[number % 3]
        text = TEMPLATES[label][number // 3 % 2].format(1000 + 37 * number)
        words = (FILLERS[(number * step + step) % len(FILLERS)] for step in (1, 2, 3, 5))
        mails.append((f"{text} {' '.join(words)}", label))
    return mails


MAILS = _mails(60)
"""Texts, some of them with line breaks and quotes, and labels."""


def mails_csv(encoding: str = "cp1252", number: bool = False) -> bytes:
    """Return them as Excel saves CSV in Germany.

    Args:
        number: whether a column of numbers comes first.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow([*(["Nr."] if number else []), "Nachricht", "Thema"])
    for index, mail in enumerate(MAILS):
        writer.writerow([*([index] if number else []), *mail])
    return out.getvalue().encode(encoding)


def write_workbook(path: Path) -> None:
    """Write them as a workbook with an empty sheet before them; needs ``openpyxl``."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.create_sheet("Mails")
    sheet.append(["Nr.", "Nachricht", "Thema", None])
    for index, mail in enumerate(MAILS):
        sheet.append([index, *mail, None])
    sheet.append([None, None, None, None])
    book.save(path)
