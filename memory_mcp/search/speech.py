"""How people ask, and how they speak of time and tags, in the languages that the router knows.

They are patterns for `found`, compiled when the first query comes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final


@cache
def _compiled(pattern: str, *, ignores_case: bool) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE) if ignores_case else re.compile(pattern.lower())


def says(text: str, *patterns: str) -> bool:
    """Say whether any of the patterns occurs in a text, in small letters or not; no pattern negates a class."""
    small = text.lower()  # a third of the time that ignoring the case takes
    return any(_compiled(pattern, ignores_case=False).search(small) for pattern in patterns)


def named(text: str, pattern: str) -> list[str]:
    """Return the group that is not empty of each occurrence of a pattern."""
    found = _compiled(pattern, ignores_case=True).finditer(text)
    return [part for match in found for part in match.groups() if part]


def _any(*alternatives: str) -> str:
    return "|".join(alternatives)


_POLITE: Final = (
    r"(?:(?:hey|ok|please|bitte|and|und|so|but|also|et|y|e|por favor|s'il te plaît|can you |could you |"
    r"(?:can|could) you |kannst du (?:mir )?|tell me|remind me|explain(?: to me)?|"
    r"show me|any idea|I wonder|I forgot|erklär mir|do you (?:know|remember)|"
    r""
    r"I (?:want|need) to know|"
    r"sag mir|erinnere mich|weißt du(?: noch)?|dis-moi|rappelle-moi|dime|recuérdame|dimmi|ricordami|"
    r"diga-me|me diga|diz-me)[,:]?\s+)*"
)
_PREPOSITION: Final = (
    r"(?:(?:in|on|at|by|for|from|to|with|of|about|since|until|under|an|ab|bis|auf|aus|bei|für|"
    r"mit|nach|seit|von|zu|über|um|"
    r"à|de|dans|avec|pour|par|sur|depuis|en|a|con|desde|para|por|sobre|da|di|su|per|em|com|até)\s+)?"
)

ASKS: Final = (
    rf"^[¿\s]*{_POLITE}{_PREPOSITION}(?:"
    + _any(
        r"(?:what|who|whom|whose|which|where|why|how)(?:'s|'re|'d|\b)",
        r"(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|had|am|"
        r"isn't|aren't|wasn't|weren't|don't|didn't|"
        r"doesn't|can't|couldn't|won't|wouldn't|shouldn't|hasn't|haven't)\s+"
        r"(?:i|you|he|she|it|we|they|there|the|a|an|any|my|your|our|his|her|their|this|"
        r"that|these|those|[A-Z]\w*)\b",
        r"(?:was|wer|wem|wen|wessen|welche[rsmn]?|wo|woher|wohin|womit|wofür|warum|wieso|"
        r"weshalb|wie|wieviele?|worüber|worum|wozu)\b",
        r"(?:ist|sind|war|waren|hat|haben|hatte|hatten|kann|können|soll|sollte|muss|darf|gibt|gab|habe|bin)\s+"
        r"(?:ich|du|er|sie|es|wir|ihr|man|der|die|das|ein|eine|mein|meine|unser|unsere|[A-ZÄÖÜ]\w*)\b",
        r"(?:que|qu'|quoi|qui|quel(?:le)?s?|où|pourquoi|comment|combien|lequel|laquelle)\b",
        r"est-ce\b|qu['’]est-ce|(?:a|est|ont|sont|as|avons|peut|peux|doit)-(?:t-)?(?:il|"
        r"elle|on|ils|elles|tu|nous|vous|je)\b",
        r"(?:qué|quién(?:es)?|cuál(?:es)?|dónde|por qué|cómo|cuánt[oa]s?|adónde)\b",
        r"(?:che cosa|cosa|che|chi|quale|quali|qual|dove|dov['’]è|perché|come|quant[oaie])\b",
        r"(?:o que|que|quem|qual|quais|onde|por que|por quê|porque|como|quant[oa]s?|aonde)\b",
    )
    + ")"
)
ASKS_ANYWHERE: Final = (
    r"什么|什麼|谁|誰|哪|为什么|為什麼|怎么|怎麼|怎样|如何|多少|几个|是否|是不是|有没有|吗|嗎|呢$|"
    r"何(?!時|年|月|日|曜)|どこ|なぜ|どうして|どう|どの|どれ|どちら|いくつ|いくら|(?:です|ます|でした|ました|だった|たの|るの|の)か[。?？]?$"
)
ASKS_WHEN: Final = (
    rf"^[¿\s]*{_POLITE}{_PREPOSITION}(?:"
    + _any(
        r"when(?:'s)?\b|how long ago\b|what(?:'s| is| was) the (?:exact )?(?:date|year|month|day|time)\b|"
        r"how long (?:has|have) it been|(?:what|which) (?:year|"
        r"month|week|day|date|time|weekday|season|century|decade)\b|what's the date",
        r"wann\b|welche[smnr]? (?:Jahr|Monat|Tag|Woche|Datum|Uhrzeit|Jahrhundert|Wochentag)|"
        r"wie lange (?:ist|liegt) .* her\b|wie viel Uhr|wieviel Uhr",
        r"quand\b|quel(?:le)?s? (?:année|mois|jour|date|heure|semaine|siècle)|combien de temps .*depuis|"
        r"il y a combien",
        r"cuándo\b|qué (?:año|mes|día|fecha|hora|semana|siglo)|hace cuánto|cuánto hace",
        r"quando\b|(?:che|quale|qual) (?:anno|mese|giorno|data|ora|settimana|secolo)|quanto tempo fa",
        r"(?:que|qual) (?:ano|mês|dia|data|hora|horas|semana|século)|há quanto tempo",
    )
    + ")"
)
WHEN_ANYWHERE: Final = (
    r"什么时候|什麼時候|何时|何時|哪一?年|哪一?天|哪个月|几点|几号|几月|什么时间|多久以前|"
    r"多久前|いつ|何年|何月|何日|何曜日|どのくらい前|\bwhen\?\s*$|[,，]\s*wann\b"
)

_MONTHS: Final = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"januar|jänner|februar|märz|mai|juni|juli|oktober|dezember|"
    r"janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre|"
    r"enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|"
    r"gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|"
    r"janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro)"
)
_DAYS: Final = (
    r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|"
    r"donnerstag|freitag|samstag|"
    r"sonnabend|sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|"
    r"miércoles|jueves|viernes|sábado|"
    r"domingo|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica|segunda|terça|quarta|quinta|sexta)"
)
_YEAR: Final = r"(?:1[89]|20)\d\d"

STATED_TIME: Final = (
    r"(?<!\w)(?:"
    + _any(
        r"lately|a while ago|(?:yesterday|this) \w+|(?:in|over|during|within) the (?:last|"
        r"past) (?:\w+ )?(?:days?|weeks?|months?|years?)|"
        r"(?:19|20)\d0s|(?:the|den|die|années|años|anni|anos) ['’]?\d0(?:s|er|"
        r"ern)?|between (?:19|20)\d\d and|(?:around|circa|etwa|um) (?:19|20)\d\d|"
        r""
        r"(?:early|mid|late|end of|beginning of|start of|anfang|mitte|ende|début|"
        rf"fin|inizio|fine|início|fim|principios de)[ -](?:de |of |di )?(?:{_MONTHS}|"
        rf"{_YEAR})|"
        r"\w+ (?:weeks|days|months|years) (?:back|earlier|before)|at (?:\d\d?(?::\d\d)? ?(?:am|"
        r"pm)|noon|midnight)|um \d\d?(?::\d\d)? uhr|q[1-4]|"
        r"neulich|kürzlich|diesen (?:sommer|winter|herbst|frühling)|heute (?:morgen|"
        r"früh|abend)|(?:letzte|diese|nächste)[rsnm]? (?:ostern|weihnachten|silvester)|"
        r""
        r"récemment|cet (?:été|hiver|automne)|ce (?:soir|printemps)|(?:semaine|"
        r"mois|année|an) (?:derni(?:er|ère)|passée?)|"
        r"recientemente|(?:semana|mes|año|lunes|noche) pasad[oa]|últim[oa]s? (?:\w+ )?(?:días?|"
        r"semanas?|mes(?:es)?|años?)|"
        r"recentemente|di recente|scors[oaie] (?:\w+ )?(?:settiman[ae]|mes[ei]|"
        r"ann[oi]|giorni|estate|inverno)|(?:settimana|mese|anno) scors[oa]|ultim[oaie] (?:\w+ )?(?:giorni|"
        r"settiman[ae]|mes[ei]|ann[oi])|"
        r"últim[oa]s? (?:\w+ )?(?:dias?|semanas?|mês|meses|anos?)|(?:last|this|"
        r"next|on) (?:christmas|easter|thanksgiving|halloween)",
        r"yesterday|tonight|today|this (?:morning|afternoon|evening|week|weekend|month|"
        r"year|quarter|summer|winter|spring)|"
        r"(?:last|past|previous) (?:few )?(?:\w+ )?(?:night|week|weekend|month|year|quarter|"
        rf"summer|winter|spring|fall|autumn|days|weeks|months|years|{_DAYS}|{_MONTHS})|"
        r""
        r"(?:\w+) (?:minute|hour|day|week|month|year)s? ago|recently|the other day|earlier today",
        r"gestern|vorgestern|heute|diese[rsnm]? (?:woche|monat|jahr|wochenende|quartal)|"
        r"(?:letzte|vorige|vergangene)[rsnm]? (?:\w+ )?(?:woche|nacht|monat|monate|monaten|"
        r"jahr|jahren|quartal|wochenende|sommer|winter|frühling|herbst|tage|tagen|wochen|"
        rf"{_DAYS}|{_MONTHS})|"
        r"vor (?:\w+) (?:minuten?|stunden?|tag(?:en)?|wochen?|monat(?:en)?|jahr(?:en)?)",
        r"hier (?:soir|matin|après-midi)|avant-hier|aujourd['’]hui|cette (?:semaine|"
        r"année)|ce (?:mois|matin|week-end)|"
        rf"(?:la semaine|le mois|l['’]année|l['’]an|l['’]été|l['’]hiver|le week-end|{_DAYS}) (?:derni(?:er|"
        r"ère)|passée?)|il y a (?:\w+) (?:jours?|semaines?|mois|ans?|heures?)",
        r"ayer|anteayer|hoy|esta (?:semana|mañana)|este (?:mes|año)|anoche|"
        r"(?:la semana|(?:d?el )?mes|(?:d?el )?año|el verano|el invierno|el fin de semana|"
        rf"el {_DAYS}) pasad[oa]|hace (?:\w+) (?:días?|semanas?|mes(?:es)?|años?|horas?)",
        r"ieri|l['’]altro ieri|oggi|questa settimana|questo mese|quest['’]anno|stamattina|"
        rf"(?:la settimana|il mese|l['’]anno|l['’]estate|l['’]inverno|{_DAYS}) scors[oa]|"
        r"\w+ (?:giorn[oi]|settiman[ae]|mes[ei]|ann[oi]|or[ae]) fa",
        r"ontem|anteontem|hoje|esta semana|este (?:mês|ano)|"
        rf"(?:na |a )?(?:semana|mês|ano|verão|inverno|fim de semana|{_DAYS}) passad[oa]|"
        r"há (?:\w+) (?:dias?|semanas?|mês|meses|anos?|horas?)",
        r"(?:in|since|during|before|after|until|by|from|on|im|in|seit|vor|nach|bis|am|"
        r"en|depuis|avant|après|desde|nel|a|em|de) (?:(?:early|late|mid|the|jahr|año|"
        rf"anno|ano|summer of|winter of|anfang|ende) )*(?:{_MONTHS}|{_YEAR})(?!\w)",
        rf"(?:on|since|until|before|after|by|am|seit|bis|vor|le|el|depuis|desde) {_DAYS}(?!\w)|"
        r"tomorrow|morgen früh|demain|mañana por|domani|amanhã|"
        rf"(?:next|nächste[rsnm]?) (?:week|month|year|woche|monat|jahr|{_DAYS})|"
        r"(?:before|after|over|at|since|around|vor|nach|über|an|seit|zu) (?:christmas|"
        r"easter|new year|thanksgiving|halloween|weihnachten|ostern|silvester)|"
        rf"(?:à|a|en|por) (?:noël|pâques|navidad|natale|pasqua|natal|páscoa)",
        rf"{_MONTHS}(?: de| of)?,? (?:\d\d?(?:st|nd|rd|th)?,? )?{_YEAR}|\d\d?(?:\.|st|"
        rf"nd|rd|th| de)? {_MONTHS}|{_MONTHS} \d\d?(?:st|nd|rd|th)?(?!\w)",
        r"(?:19|20)\d\d-\d\d?(?:-\d\d?)?|\d\d?\.\d\d?\.(?:\d\d)?\d\d|\d\d?/\d\d?/(?:\d\d)?\d\d",
        r"(?:spring|summer|autumn|fall|winter|q[1-4]|frühling|sommer|herbst|été|verano|"
        rf"invierno|estate|inverno|verão)(?: de| of)? {_YEAR}",
    )
    + r")(?!\w)"
    r"|昨天|前天|今天|上周|上星期|上个月|本周|这周|这个月|去年|今年|前年|天前|周前|个月前|年前|昨晚|\d+年|\d+月\d+|"
    r"昨日|一昨日|今日|先週|先月|先日|最近|おととい|去年|来週|明日|時間前|年前|昨夜|今朝|月曜|火曜|水曜|木曜|金曜|土曜|日曜"
    r"|星期[一二三四五六日天]|周[一二三四五六日末]|明天|下周|小时前|早上|刚才|今週|今月|昨年|日前|週間前|か月前|ヶ月前"
    # "hier" is "here" in German
    r"|^(?!.*\b(?:ist|steht|wir|das|der|die|und|nicht|ein|gibt|was|wo|wer)\b).*\bhier\b"
)

TAG_LETTER: Final = r"(?:[\w/:.-]|[^\x00-\xbf\s\u2000-\u200b\u200e-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20])"
"""What a tag is made of. Vowel signs are no \\w: anything but punctuation may follow the first letter."""
TAGGED: Final = (
    r"(?:\b(?:by|show) tags?|\btagged(?: (?:with|as|by))?|\b(?:with|under|by|for|having) (?:the )?(?:tags?|"
    r"label)|\blabell?ed(?: (?:with|as))?|"
    r"\bgetaggt(?: (?:mit|als))?|\b(?:mit|unter) (?:dem )?(?:tag|schlagwort|etikett)|\bverschlagwortet mit|"
    r"\b(?:avec|sous) (?:le tag|l['’]étiquette|la balise)|\bétiquetée?s?(?: (?:avec|comme))?|\btagu?ée?s?|"
    r"\bcon (?:la )?etiqueta|\betiquetad[oa]s?(?: (?:con|como|com))?|\b(?:con|sotto) (?:il tag|"
    r"l['’]etichetta|etichetta)|\betichettat[oaie](?: (?:con|come))?|\btaggat[oaie](?: con)?|"
    r""
    r"\bcom (?:a )?(?:tag|etiqueta)|\bmarcad[oa]s?(?: (?:com|como))?)\s+[#\"„“«]?("
    rf"{TAG_LETTER}+)"
    r"|(?:标签|標籤|标记为|タグ)[::\s「“\"]*(?:为|是|が|は)?[「“\"]?([^\s「」“”\"的のをがで]+)"
    r"|([^\s「」“”\"]+?)[」”\"]?\s*(?:标签|タグ)"
)
