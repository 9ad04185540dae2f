"""Words that say little, in three lists for three questions; no other module lists any.

What weighs little in a query, what tells a text's language, and what may stand beside the names of tags are not the
same words: "war" is German for "was" and tells German, but it weighs in full, because in English it is a subject.

The lists are chosen by measurement (docs/benchmarks.md). The 1,900 English and German words of `stopwordsiso` would
change ranks: "work", "home", "name", "call", "may", "us" and "war" are among them.
"""

from __future__ import annotations

from functools import cache
from typing import Final

_FUNCTION_WORDS: Final = {
    "en": """
        a about an and any are as at be been but by can could did do does for from had has have he her him his how
        i if in into is it its ll me might my no not of on or our re s she should so some such t than that the their
        them then there these they this to ve was we were what when where which who whom why will with would you
        your
    """,
    "de": """
        aber als am auch auf aus bei beim das dass dem der des du durch ein eine einem einen einer eines er es für
        haben hatte hatten ihr ihre ihren ihrer im ist kann können mit nach nicht noch nur oder sein seine seinen
        seiner sich sie sind um und unter viele vom von wann waren warum was welche welchem welchen welcher
        welches wem wen wer werden wessen wie wieviel wir wird wo wurde wurden zu zum zur über
    """,
}
FUNCTION_WORDS: Final = frozenset(word for words in _FUNCTION_WORDS.values() for word in words.split())
"""Words that count `LexicalPolicy.function_word_weight` in a query, in lower case.

None says something in the other language or is a name: not may, us, war, hat, man, die, den.
"""

_MARKERS: Final = {
    "da": """
        af at blev da de den der det du efter eller en er et for fra før ham han har hun hvad hvor i ikke
        jeg kan kom men mig min mod og om over på sig skal som så til ud var ved vi vil være
    """,
    "de": """
        aber als am an auch auf aus bei bin bis das dass dem den der des die durch ein eine einem einen
        einer er es für haben habe hat hatte ich ihr im in ist kann mein meine mit nach nicht noch nur oder
        sein seine sich sie sind und um unser uns vom von vor war waren warum was wenn wer werden wie wir
        wird wo wurde zu zum zur über
    """,
    "en": """
        a about after all also an and are as at be been but by can did do for from had has have he her his
        how i if in into is it its me my no not of on or our she so than that the their them then there they
        this to up us was we were what when where which who will with would you your
    """,
    "es": """
        al como con cuando de del donde el ella en era es esta estaba está estaban este fue ha han hay la
        las le lo los mi mis más me muy no nos para pero por porque que qué se ser si sin sobre son su sus
        también tiene un una y yo
    """,
    "fi": """
        ei että han he hän ja jos joka jotka kanssa kun kuin me minä mitä mutta myös nyt oli olin on ovat se
        sen siitä sitä tai tämä vain voi
    """,
    "fr": """
        ai au aux avec ce ces cette dans de des du elle en est et eu il ils j je la le les leur lui ma mais
        mes mon ne nous on ont ou où par pas plus pour qu que qui sa se ses son sont sur un une vous été
        être à
    """,
    "hu": """
        a az csak de egy el ez hogy is és ha ki le még meg mert mi mint most már nem sem van volt vagy én
    """,
    "it": """
        al alla anche che chi come con cui da dal dalla degli dei del della delle di dove e era essere gli
        ha hanno ho i il in io la le lo ma mi mia mio nel nella noi non o per perché più quando questo se si
        sono su sua suo un una è
    """,
    "nl": """
        aan als bij dat de deze die dit door een en er had heb hebben heeft het hij hoe ik in is je kan maar
        met mijn naar niet nog of om onze ook op over te tot uit van voor waar was wat we werd wij zij zijn
    """,
    "no": """
        av at ble da de den det du eller en er et etter for fra han har hun hva hvor i ikke jeg kan kom men
        meg min mot og om over på seg skal som så til ut var ved vi vil være
    """,
    "pl": """
        ale był była co czy dla do gdzie i ich jak jest jestem już ja kiedy które którzy ma mam mnie moja
        mój na nie o od oraz po przez się są ta tak tam to tym w we z za że
    """,
    "pt": """
        a ao aos as com como da das de do dos e ela ele em era essa esta está estava eu foi há isso já mais
        mas me meu minha muito na nas no nos não o onde os ou para pela pelo por quando que quem se sem ser
        seu sua são também tem um uma
    """,
    "ro": """
        a ai al am ar au că când ce cea cel cu de din el ea este eu fi fost în la mai nu o pe pentru
        sau se și sunt un una unde
    """,
    "sv": """
        att av de den det din du efter eller en er ett från för han har hon hur i inte jag kan kom med men
        mig min mot och om på sig ska skulle som så till ut vad var vi vid vill är över
    """,
}
AMBIGUOUS_MARKERS: Final = frozenset({"com", "des", "los", "las", "van", "von", "son"})
"""Markers that are parts of names in other languages, or have other meanings: no single one tells a language."""


@cache
def markers() -> frozenset[str]:
    """Return the words that tell a language, of all languages, in lower case."""
    return frozenset(marked_languages())


@cache
def marked_languages() -> dict[str, list[str]]:
    """Return the languages that each marker belongs to."""
    found: dict[str, list[str]] = {}
    for language, words in _MARKERS.items():
        for word in words.split():
            found.setdefault(word, []).append(language)
    return found


_FILLERS: Final = {
    "en": "a an the my our your all any some of in on at to for with and or about from is are me show list everything",
    "de": "der die das ein eine mein meine alle alles von in im mit und oder zu über zeig zeige mir notizen",
    "fr": "le la les un une des mes tout tous toutes de du et ou avec sur dans montre",
    "es": "el los las una mis todo todos todas y o con del en",
    "it": "il lo gli i uno miei tutti tutte tutto e di del della con per",
    "pt": "os as um uma meus minhas tudo com do da dos das em",
    "marks": "& + - – / | things notes",
}
FILLERS: Final = frozenset(word for words in _FILLERS.values() for word in words.split())
"""Words that leave a query nothing but the tags that it names, in lower case."""
