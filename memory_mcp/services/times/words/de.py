"""German."""

from __future__ import annotations

from typing import Final

from memory_mcp.services.times.words.numerals import german, table


def _bent(stem: str) -> str:
    """Return an adjective in its forms."""
    return ", ".join(stem + ending for ending in ("e", "er", "en", "em", "es"))


def _all(*stems: str) -> str:
    return ", ".join(map(_bent, stems))


_ORDINALS: Final = (
    "erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft dreizehnt vierzehnt fünfzehnt sechzehnt "
    "siebzehnt achtzehnt neunzehnt zwanzigst einundzwanzigst zweiundzwanzigst dreiundzwanzigst vierundzwanzigst "
    "fünfundzwanzigst sechsundzwanzigst siebenundzwanzigst achtundzwanzigst neunundzwanzigst dreißigst einunddreißigst"
).split()
_DAYS: Final = "montag dienstag mittwoch donnerstag freitag samstag sonntag".split()
_PARTS: Final = {
    "early_morning": "früh morgens, frühmorgens, am frühen morgen",
    "morning": "morgen, früh, vormittag, morgens, vormittags, in der früh, in der frühe",
    "noon": "mittag, mittags",
    "afternoon": "nachmittag, nachmittags",
    "evening": "abend, abends",
    "night": "nacht, nachts",
}


def _compounds() -> dict[str, str]:
    """Return Montagabend and the others, and their adverbs."""
    rows: dict[str, str] = {}
    for number, day in enumerate([*_DAYS, "sonnabend"]):
        for part, words in _PARTS.items():
            joined = [f"{day}{word}, {day}{word}s" for word in words.split(", ") if " " not in word]
            key = f"weekday_part {5 if day == 'sonnabend' else number} {part}"
            rows[key] = ", ".join(filter(None, [rows.get(key, ""), *joined]))
    return rows


WORDS: Final[dict[str, str]] = {
    **german(),
    **table("ordinal", [_bent(word) for word in _ORDINALS], 1),
    **_compounds(),
    "num 1": "eins",
    "num 12": "zwölf, ein dutzend",
    "num 100": "hundert, einhundert",
    "num 3/2": "anderthalb, eineinhalb, anderthalbe",
    "num 5/2": "zweieinhalb",
    "num 7/2": "dreieinhalb",
    "few 2-5": "ein paar, paar, einige, einigen, einiger, wenige, wenigen",
    "few 3-7": "mehrere, mehreren, etliche, etlichen",
    "a": "ein, eine, einer, einem, einen, eines, 'ner, 'nem, nem",
    "the": "der, die, das, dem, den, des, ganz, den ganzen, die ganze, das ganze, der ganzen, im ganzen, ganze, ganzen",
    "of": "in, im, von, vom, des, der, in der, in dem, in den, aus, aus dem, am",
    "in": "in, im, während, innerhalb, binnen, über, im laufe, im verlauf, im zeitraum",
    "future": "in",
    "within": "innerhalb, innerhalb von",
    "on": "am, an, zu, zum",
    "at": "um, gegen, circa, ca., ca, ungefähr, etwa, so um",
    "and": "und, u., &",
    "or": "oder, bis",
    "to": "bis, bis zum, bis zu, bis zur, bis einschließlich, bis einschl., bis auf",
    "dash": "-, –, —, .., ..., …, ~, bis",
    "from": "von, vom, ab, seit",
    "between": "zwischen",
    "since": "seit, ab, seitdem, seit dem, beginnend",
    "since_post": "an, bis heute, bis jetzt, und später, oder später",
    "until": "bis, bis zum, bis zu, bis zur, bis einschließlich, spätestens",
    "until_post": "und früher, oder früher, und davor",
    "before": "vor, vor dem, vor der, vor den, früher als",
    "after": "nach, nach dem, nach der, nach den, später als",
    "ago_pre": "vor, vor etwa, vor ungefähr, vor rund, vor ca., vor circa, vor knapp, vor gut",
    "ago_post": "her, zurück",
    "from_now": "später, ab jetzt",
    "last": _all("letzt", "vorig", "vergangen", "vorherig") + ", letzt",
    "roll": _all("zurückliegend"),
    "roll_many": "jüngste, jüngsten, jüngster",
    "this": _all("dies", "aktuell", "laufend", "jetzig") + ", dies, diesjährige, diesjährigen",
    "next": _all("nächst", "kommend", "folgend"),
    "last2": _all("vorletzt", "vorvorig", "vorvergangen"),
    "half": _all("halb") + ", halb, eine halbe, einer halben, ein halbes, einem halben",
    "first_half": "erste hälfte, ersten hälfte, erste jahreshälfte, ersten jahreshälfte, erstes halbjahr, ersten halbjahr, "
    "1. halbjahr, 1. hälfte",
    "second_half": "zweite hälfte, zweiten hälfte, zweite jahreshälfte, zweiten jahreshälfte, zweites halbjahr, "
    "zweiten halbjahr, 2. halbjahr, 2. hälfte",
    "age_more": "älter als, vor mehr als, vor über, vor mindestens",
    "more": "mehr als, länger als, über, mindestens",
    "age_less": "jünger als, neuer als, nicht älter als, vor weniger als, maximal vor",
    "less": "weniger als, höchstens, maximal",
    "old": "alt, her",
    "suffix": ".",
    "unit second": "sekunde, sek",
    "unit minute": "minute, min, min.",
    "unit hour": "stunde, std, std., h",
    "unit day": "tag, tages, tage",
    "unit week": "woche",
    "unit weekend": "wochenende, wochenendes, we",
    "unit month": "monat, monats, monates",
    "unit quarter": "quartal, quartals, vierteljahr, vierteljahres",
    "unit half": "halbjahr, halbjahres",
    "unit year": "jahr, jahres, jahre",
    "unit decade": "jahrzehnt, jahrzehnts, dekade",
    "unit century": "jahrhundert, jahrhunderts, jh., jh, jhd., jhdt.",
    "unit minute*15": "viertelstunde",
    "unit minute*45": "dreiviertelstunde",
    "units second": "sekunden",
    "units minute": "minuten, min, min.",
    "units hour": "stunden, std, std., h",
    "units day": "tage, tagen",
    "units week": "wochen",
    "units weekend": "wochenenden",
    "units month": "monate, monaten",
    "units quarter": "quartale, quartalen",
    "units year": "jahre, jahren",
    "units decade": "jahrzehnte, jahrzehnten, dekaden",
    "units century": "jahrhunderte, jahrhunderten",
    "weekmark": "kw, kws, kalenderwochen, wochen, kalenderwoche, woche, kw.",
    "year_word": "jahr, jahre, jahres, kalenderjahr",
    "decade_word": "die, den, der, in den, in die",
    "decade_post": "jahre, jahren",
    **{f"decade2 {tens}": f"{word}, {word}n" for tens, word in ((50, "fünfziger"), (60, "sechziger"), (70, "siebziger"))},
    **{f"decade2 {tens}": f"{word}, {word}n" for tens, word in ((80, "achtziger"), (90, "neunziger"), (20, "zwanziger"))},
    **table("weekday", [f"{day}, {day[:2]}, {day[:2]}., {day}s" for day in _DAYS], 0),
    "weekday 5": "samstag, samstags, sonnabend, sonnabends, sa, sa.",
    **table("weekdays", [f"{day}e, {day}en" for day in _DAYS], 0),
    **table("month", ["januar, jan, jan., jänner, jänners, januars", "februar, feb, feb., feber, februars"], 1),
    **table("month", ["märz, mär, mär., mrz, mrz., märzes", "april, apr, apr., aprils", "mai, mais"], 3),
    **table("month", ["juni, jun, jun., junis", "juli, jul, jul., julis", "august, aug, aug., augusts"], 6),
    **table("month", ["september, sep, sept, sep., sept., septembers", "oktober, okt, okt., oktobers"], 9),
    **table("month", ["november, nov, nov., novembers", "dezember, dez, dez., dezembers"], 11),
    **{"season spring": "frühling, frühjahr, frühlings, frühjahrs, lenz", "season summer": "sommer, sommers"},
    **{"season autumn": "herbst, herbstes, herbsts", "season winter": "winter, winters"},
    **{f"part {part}": words for part, words in _PARTS.items()},
    "noon": "mittag, mittags, zwölf uhr mittags",
    "midnight": "mitternacht",
    "oclock": "uhr, h",
    "day 0": "heute, heutigen tag, heutigen tages, heutigen, heutiger tag",
    "day -1": "gestern, gestrigen tag, gestrigen",
    "day -2": "vorgestern",
    "day -3": "vorvorgestern",
    "day 1": "morgen",
    "day 2": "übermorgen",
    "day_part -1 night": "letzte nacht, vergangene nacht, in der letzten nacht, vorige nacht, letzter nacht",
    "day_part 0 night": "heute nacht",
    "day_part 0 early_morning": "heute ganz früh",
    "recently": "neulich, kürzlich, jüngst, unlängst, vor kurzem, letztens, vor kurzer zeit, in letzter zeit, "
    "in jüngster zeit, zuletzt, neuerdings, in der letzten zeit, die letzte zeit, vor nicht allzu langer zeit",
    "other_day": "dieser tage",
    "now": "jetzt, gerade, gerade eben, eben, soeben, vorhin, momentan",
    "earlier": "früher, bisher, bislang",
    "later": "später, rest, der rest, im rest",
    "so_far": "bisher, bislang, bis jetzt, bis heute, bis dato",
    "year_start": "jahresbeginn, jahresanfang",
    "month_start": "monatsbeginn, monatsanfang",
    "week_start": "wochenbeginn, wochenanfang",
    "edge 0": "anfang, zu beginn, beginn, früh im, zu anfang, am anfang, anfangs",
    "edge 1": "mitte, in der mitte",
    "edge 2": "ende, am ende, gegen ende, spät im, zum ende, ausgangs",
    "early_word": _all("früh"),
    "late_word": _all("spät", "ausgehend"),
    "holiday christmas": "weihnachten, weihnachtstag, 1. weihnachtstag, erster weihnachtstag, ersten weihnachtstag, "
    "1. weihnachtsfeiertag, ersten weihnachtsfeiertag",
    "holiday boxing_day": "2. weihnachtstag, zweiter weihnachtstag, zweiten weihnachtstag, 2. weihnachtsfeiertag, stephanstag",
    "holiday christmas_eve": "heiligabend, heiliger abend, heilig abend, heiligen abend, weihnachtsabend",
    "holiday new_year": "neujahr, neujahrstag",
    "holiday new_years_eve": "silvester, sylvester, silvesterabend",
    "holiday valentine": "valentinstag",
    "holiday halloween": "halloween",
    "holiday easter": "ostern, ostersonntag",
    "holiday good_friday": "karfreitag",
    "holiday easter_monday": "ostermontag",
    "holiday pentecost": "pfingsten, pfingstsonntag",
    "holiday whit_monday": "pfingstmontag",
    "holiday ascension": "christi himmelfahrt, himmelfahrt, vatertag",
    "holiday epiphany": "dreikönigstag, heilige drei könige, dreikönig",
    "holiday nicholas": "nikolaus, nikolaustag",
    "holiday may_day": "tag der arbeit, maifeiertag",
    "holiday german_unity": "tag der deutschen einheit",
    "holiday rose_monday": "rosenmontag",
    "holiday ash_wednesday": "aschermittwoch",
}
