"""Two hundred texts of all lengths: real ones where the shared data is, else made of the sentences below."""

from __future__ import annotations

import json
import random
from pathlib import Path

_SENTENCES = """
The ferry to the island leaves at half past six, and there is no later one on Sundays.
Our landlord finally agreed to replace the broken boiler before the winter.
In vitro assays showed that the inhibitor reduced tumour growth by 43 % (p < 0.01).
She plays the cello in a quartet that rehearses above the bakery.
Please remember that Marta is allergic to peanuts and to most shellfish.
def add(a: int, b: int) -> int: return a + b  # the simplest function there is
The meeting about the quarterly budget was moved from Tuesday to Thursday, 14:30.
Gestern haben wir im Wald Pfifferlinge gefunden und mit Butter gebraten.
Le petit café au coin de la rue ferme désormais à dix-huit heures.
El perro de mi hermana aprendió a abrir la puerta de la cocina.
昨日は図書館で日本の歴史についての本を三冊借りました。
Мы поедем на дачу, как только закончится дождь.
Mitochondrial DNA is inherited almost exclusively from the mother in mammals.
Error 503: upstream connect error or disconnect/reset before headers (retried 3 times).
My favourite route to work follows the canal, although it takes ten minutes longer.
The password rotation policy requires sixteen characters and at least one symbol: !@#$%^&*.
Caroline told me that she is training for a half marathon in the spring. 🏃‍♀️
An object in motion stays in motion unless acted upon by an external force.
SELECT name, COUNT(*) FROM visits WHERE year >= 2021 GROUP BY name HAVING COUNT(*) > 5;
We adopted two kittens, a grey one named Ash and a striped one named Tiger.
He prefers tea in the morning, coffee after lunch, and nothing hot after eight.
The 1969 moon landing was watched by an estimated 650 million people.
Antidisestablishmentarianism is often quoted as the longest word in English.
They painted the nursery a pale yellow because they wanted it to be a surprise.
Visit https://example.org/a/very/long/path?with=query&and=fragment#section-2 for details.
""".strip().splitlines()


def real_texts(data: Path, count: int) -> list[str]:
    """Return that many texts; the same ones each time."""
    sources = [data / "locomo_dev_turn" / "corpus.jsonl", data / "scifact" / "corpus.jsonl"]
    if all(source.is_file() for source in sources):
        return [text for source in sources for text in _sample(source, count // 2)]
    return made_texts(count)


def _sample(source: Path, count: int) -> list[str]:
    lines = source.read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines[:: max(1, len(lines) // count)]]
    return [f"{entry.get('title', '')} {entry['text']}".strip() for entry in entries][:count]


def made_texts(count: int) -> list[str]:
    """Join sentences to texts of 1 word to about 400, repeatably."""
    chance = random.Random(20_240_607)  # noqa: S311 - no secret
    texts = []
    for number in range(count):
        words = " ".join(chance.sample(_SENTENCES, 1 + number % len(_SENTENCES))).split()
        texts.append(" ".join(words[: chance.choice((1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 400))]))
    return texts
