"""Chinese, simplified and traditional."""

from __future__ import annotations

from typing import Final

from memory_mcp.services.times.words.numerals import table

_DAYS: Final = ("一", "二", "三", "四", "五", "六", "日")
_WEEKDAYS: Final = [
    ", ".join(f"{week}{day}" for week in ("周", "週", "星期", "礼拜", "禮拜", "星期")) for day in _DAYS
]
_WEEKDAYS[6] += ", 周天, 週天, 星期天, 礼拜天, 禮拜天"
_IN_WEEK: Final = {"last": ("上", "上个", "上個"), "this": ("这", "這", "本", "这个", "這個"), "next": ("下", "下个", "下個")}


def _weekdays_of(which: str) -> dict[str, str]:
    rows = {}
    for number, words in enumerate(_WEEKDAYS):
        names = [name.strip() for name in words.split(",")]
        rows[f"weekday_{which} {number}"] = ", ".join(prefix + name for prefix in _IN_WEEK[which] for name in names)
    return rows


WORDS: Final[dict[str, str]] = {
    **_weekdays_of("last"),
    **_weekdays_of("this"),
    **_weekdays_of("next"),
    "num 1/2": "半",
    "few 2-5": "几, 幾, 数, 數, 几个, 幾個, 若干, 好几, 好幾",
    "a": "一个, 一個, 一",
    "the": "整个, 整個, 全, 那个, 那個, 这个",
    "of": "的, 里的",
    "in": "在, 于, 於",
    "on": "在, 于, 於",
    "at": "在",
    "here": "在, 于, 於",
    "in_post": "里, 裡, 中, 内, 內, 间, 期间, 之间, 以内, 以內, 之内, 之內, 时, 的时候, 份",
    "within_post": "内, 內, 以内, 以內, 之内, 之內, 来, 來, 以来, 以來, 里, 裡, 期间, 中",
    "and": "和, 与, 與, 及, 跟",
    "or": "或, 到, 至, 或者",
    "to": "到, 至, 直到",
    "dash": "-, –, —, ~, ～, 〜, .., 到, 至",
    "from": "从, 從, 自, 由, 自从, 自從",
    "between": "在, 从",
    "between_post": "之间, 之間, 间, 期间",
    "since": "自, 自从, 自從, 从, 從",
    "since_post": "以来, 以來, 起, 开始, 開始, 以后, 以後, 至今, 到现在, 到今天, 到現在, 之后至今",
    "until": "直到, 截至, 截止, 截止到, 到, 至",
    "until_post": "为止, 為止, 止",
    "before": "早于",
    "before_post": "前, 之前, 以前",
    "after": "晚于",
    "after_post": "后, 後, 之后, 之後, 以后, 以後",
    "ago_post": "前, 以前, 之前",
    "from_now": "后, 後, 之后, 之後, 以后",
    "last": "上, 上个, 上個, 上一, 上一个, 上一個, 前一, 前一个",
    "roll_dur": "最近, 过去, 過去, 近, 最近的, 过去的, 最近这, 过去这",
    "this": "这, 這, 本, 这个, 這個, 这一, 今, 当前, 這一, 当",
    "next": "下, 下个, 下個, 下一, 下一个, 下一個",
    "last2": "上上, 上上个, 上上個",
    "half": "半, 半个, 半個",
    "and_half": "半, 个半",
    "first_half": "上半, 上半年, 前半年",
    "second_half": "下半, 下半年, 后半年",
    "unit second": "秒, 秒钟",
    "unit minute": "分钟, 分鐘, 分",
    "unit hour": "小时, 小時, 个小时, 個小時, 钟头, 个钟头, 個鐘頭",
    "unit day": "天, 日内",
    "unit week": "周, 週, 星期, 个星期, 個星期, 礼拜, 个礼拜, 禮拜, 個禮拜, 个周",
    "unit weekend": "周末, 週末, 个周末",
    "unit month": "月, 个月, 個月",
    "months": "个月, 個月",
    "unit quarter": "季度, 个季度, 個季度",
    "unit year": "年",
    "unit decade": "十年, 年代",
    "unit century": "世纪, 世紀",
    "unit minute*15": "刻钟, 刻鐘, 一刻钟",
    "weekmark": "周, 週",
    "nth": "第",
    "quarter_mark": "季度, 季",
    "year_mark": "年",
    "month_mark": "月, 月份",
    "day_mark": "日, 号, 號",
    "decade_pre": "上世纪, 上世紀, 20世纪",
    **table("weekday", _WEEKDAYS, 0),
    **{"season spring": "春天, 春季, 春", "season summer": "夏天, 夏季, 夏"},
    **{"season autumn": "秋天, 秋季, 秋", "season winter": "冬天, 冬季, 冬"},
    "part early_morning": "凌晨, 清晨",
    "part morning": "早上, 上午, 早晨, 早, 清早",
    "part noon": "中午, 正午",
    "part afternoon": "下午, 午后, 午後",
    "part evening": "晚上, 傍晚, 晚间, 晚間, 晚",
    "part night": "夜里, 深夜, 夜间, 夜晚, 半夜, 夜裡, 夜",
    "noon": "中午, 正午",
    "midnight": "零点, 午夜",
    "ampm_pre early_morning": "凌晨, 清晨",
    "ampm_pre morning": "早上, 上午, 早晨",
    "ampm_pre noon": "中午",
    "ampm_pre afternoon": "下午",
    "ampm_pre evening": "晚上, 傍晚, 晚",
    "oclock": "点, 點, 点钟, 點鐘, 时, 時",
    "minute_mark": "分",
    "day 0": "今天, 今日, 今",
    "day -1": "昨天, 昨日, 昨",
    "day -2": "前天, 前日",
    "day -3": "大前天",
    "day 1": "明天, 明日, 明",
    "day 2": "后天, 後天",
    "day_part -1 night": "昨晚, 昨夜, 昨天夜里, 昨日夜里",
    "day_part 0 night": "今晚, 今夜",
    "day_part -2 night": "前晚, 前天夜里",
    "rel_year -1": "去年, 上一年",
    "rel_year -2": "前年",
    "rel_year 0": "今年, 本年, 本年度",
    "rel_year 1": "明年, 来年",
    "recently": "最近, 近来, 近期, 近來, 近日, 不久前, 不久以前, 前不久, 前些时候, 前阵子, 前段时间, 最近一段时间, 这段时间, 近段时间",
    "other_day": "前几天, 前幾天, 前些天, 前些日子, 那天",
    "now": "现在, 現在, 刚才, 剛才, 刚刚, 剛剛, 此刻",
    "so_far": "至今, 到目前为止, 到现在, 以来, 迄今, 到目前, 迄今为止, 到今天",
    "edge_post 0": "初, 月初, 年初, 上旬, 初期, 伊始, 早期",
    "edge_post 1": "中, 中旬, 年中, 中期, 月中",
    "edge_post 2": "底, 末, 下旬, 月底, 月末, 年底, 年末, 末期, 晚期, 后期",
    "holiday christmas": "圣诞节, 圣诞, 聖誕節, 聖誕",
    "holiday christmas_eve": "平安夜",
    "holiday new_year": "元旦, 新年",
    "holiday new_years_eve": "跨年夜, 跨年",
    "holiday valentine": "情人节, 情人節",
    "holiday halloween": "万圣节, 萬聖節",
    "holiday may_day": "劳动节, 勞動節, 五一, 五一劳动节",
    "holiday china_national": "国庆节, 国庆, 國慶節",
    "holiday easter": "复活节, 復活節",
    "holiday thanksgiving": "感恩节, 感恩節",
}
