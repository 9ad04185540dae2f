from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Lane(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LANE_UNSPECIFIED: _ClassVar[Lane]
    LANE_INTERACTIVE: _ClassVar[Lane]
    LANE_BULK: _ClassVar[Lane]

class Task(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_UNSPECIFIED: _ClassVar[Task]
    TASK_QUERY: _ClassVar[Task]
    TASK_DOCUMENT: _ClassVar[Task]

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_UNSPECIFIED: _ClassVar[State]
    STATE_LOADING: _ClassVar[State]
    STATE_SERVING: _ClassVar[State]
    STATE_ASLEEP: _ClassVar[State]
    STATE_DRAINING: _ClassVar[State]
    STATE_FAILED: _ClassVar[State]
LANE_UNSPECIFIED: Lane
LANE_INTERACTIVE: Lane
LANE_BULK: Lane
TASK_UNSPECIFIED: Task
TASK_QUERY: Task
TASK_DOCUMENT: Task
STATE_UNSPECIFIED: State
STATE_LOADING: State
STATE_SERVING: State
STATE_ASLEEP: State
STATE_DRAINING: State
STATE_FAILED: State

class EmbedRequest(_message.Message):
    __slots__ = ("texts", "lane", "task", "truncate", "expected_space_id", "client")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TRUNCATE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_SPACE_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    lane: Lane
    task: Task
    truncate: bool
    expected_space_id: str
    client: str
    def __init__(self, texts: _Optional[_Iterable[str]] = ..., lane: _Optional[_Union[Lane, str]] = ..., task: _Optional[_Union[Task, str]] = ..., truncate: _Optional[bool] = ..., expected_space_id: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class EmbedResponse(_message.Message):
    __slots__ = ("vectors", "dimensions", "items", "space_id", "timing")
    class Item(_message.Message):
        __slots__ = ("token_count", "truncated", "consumed_chars", "cached", "error")
        TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
        TRUNCATED_FIELD_NUMBER: _ClassVar[int]
        CONSUMED_CHARS_FIELD_NUMBER: _ClassVar[int]
        CACHED_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        token_count: int
        truncated: bool
        consumed_chars: int
        cached: bool
        error: str
        def __init__(self, token_count: _Optional[int] = ..., truncated: _Optional[bool] = ..., consumed_chars: _Optional[int] = ..., cached: _Optional[bool] = ..., error: _Optional[str] = ...) -> None: ...
    class Timing(_message.Message):
        __slots__ = ("queue_us", "compute_us", "total_us")
        QUEUE_US_FIELD_NUMBER: _ClassVar[int]
        COMPUTE_US_FIELD_NUMBER: _ClassVar[int]
        TOTAL_US_FIELD_NUMBER: _ClassVar[int]
        queue_us: int
        compute_us: int
        total_us: int
        def __init__(self, queue_us: _Optional[int] = ..., compute_us: _Optional[int] = ..., total_us: _Optional[int] = ...) -> None: ...
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SPACE_ID_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    vectors: bytes
    dimensions: int
    items: _containers.RepeatedCompositeFieldContainer[EmbedResponse.Item]
    space_id: str
    timing: EmbedResponse.Timing
    def __init__(self, vectors: _Optional[bytes] = ..., dimensions: _Optional[int] = ..., items: _Optional[_Iterable[_Union[EmbedResponse.Item, _Mapping]]] = ..., space_id: _Optional[str] = ..., timing: _Optional[_Union[EmbedResponse.Timing, _Mapping]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_texts", "max_message_bytes", "max_queued_texts")
    MAX_TEXTS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_TEXTS_FIELD_NUMBER: _ClassVar[int]
    max_texts: int
    max_message_bytes: int
    max_queued_texts: int
    def __init__(self, max_texts: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., max_queued_texts: _Optional[int] = ...) -> None: ...

class InfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InfoResponse(_message.Message):
    __slots__ = ("state", "space_id", "model", "dimensions", "max_tokens", "limits", "engine", "device", "precision", "batch_tolerance", "daemon_version", "wire_version", "versions", "cause", "query_prompt", "document_prompt")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATE_FIELD_NUMBER: _ClassVar[int]
    SPACE_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    BATCH_TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    DAEMON_VERSION_FIELD_NUMBER: _ClassVar[int]
    WIRE_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    QUERY_PROMPT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_PROMPT_FIELD_NUMBER: _ClassVar[int]
    state: State
    space_id: str
    model: str
    dimensions: int
    max_tokens: int
    limits: Limits
    engine: str
    device: str
    precision: str
    batch_tolerance: float
    daemon_version: str
    wire_version: int
    versions: _containers.ScalarMap[str, str]
    cause: str
    query_prompt: str
    document_prompt: str
    def __init__(self, state: _Optional[_Union[State, str]] = ..., space_id: _Optional[str] = ..., model: _Optional[str] = ..., dimensions: _Optional[int] = ..., max_tokens: _Optional[int] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., engine: _Optional[str] = ..., device: _Optional[str] = ..., precision: _Optional[str] = ..., batch_tolerance: _Optional[float] = ..., daemon_version: _Optional[str] = ..., wire_version: _Optional[int] = ..., versions: _Optional[_Mapping[str, str]] = ..., cause: _Optional[str] = ..., query_prompt: _Optional[str] = ..., document_prompt: _Optional[str] = ...) -> None: ...

class StatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LaneStats(_message.Message):
    __slots__ = ("requests", "texts", "queued_texts", "batches")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_TEXTS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    requests: int
    texts: int
    queued_texts: int
    batches: int
    def __init__(self, requests: _Optional[int] = ..., texts: _Optional[int] = ..., queued_texts: _Optional[int] = ..., batches: _Optional[int] = ...) -> None: ...

class StatsResponse(_message.Message):
    __slots__ = ("uptime_s", "interactive", "bulk", "batches", "rows", "tokens", "padded_tokens", "item_errors", "refused", "expired", "shed", "bisected", "cache_hits", "cache_misses", "cache_bytes", "deduplicated", "padding_waste", "out_of_memory", "quarantined", "compute_s")
    UPTIME_S_FIELD_NUMBER: _ClassVar[int]
    INTERACTIVE_FIELD_NUMBER: _ClassVar[int]
    BULK_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    PADDED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ITEM_ERRORS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    SHED_FIELD_NUMBER: _ClassVar[int]
    BISECTED_FIELD_NUMBER: _ClassVar[int]
    CACHE_HITS_FIELD_NUMBER: _ClassVar[int]
    CACHE_MISSES_FIELD_NUMBER: _ClassVar[int]
    CACHE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DEDUPLICATED_FIELD_NUMBER: _ClassVar[int]
    PADDING_WASTE_FIELD_NUMBER: _ClassVar[int]
    OUT_OF_MEMORY_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_S_FIELD_NUMBER: _ClassVar[int]
    uptime_s: float
    interactive: LaneStats
    bulk: LaneStats
    batches: int
    rows: int
    tokens: int
    padded_tokens: int
    item_errors: int
    refused: int
    expired: int
    shed: int
    bisected: int
    cache_hits: int
    cache_misses: int
    cache_bytes: int
    deduplicated: int
    padding_waste: float
    out_of_memory: int
    quarantined: int
    compute_s: float
    def __init__(self, uptime_s: _Optional[float] = ..., interactive: _Optional[_Union[LaneStats, _Mapping]] = ..., bulk: _Optional[_Union[LaneStats, _Mapping]] = ..., batches: _Optional[int] = ..., rows: _Optional[int] = ..., tokens: _Optional[int] = ..., padded_tokens: _Optional[int] = ..., item_errors: _Optional[int] = ..., refused: _Optional[int] = ..., expired: _Optional[int] = ..., shed: _Optional[int] = ..., bisected: _Optional[int] = ..., cache_hits: _Optional[int] = ..., cache_misses: _Optional[int] = ..., cache_bytes: _Optional[int] = ..., deduplicated: _Optional[int] = ..., padding_waste: _Optional[float] = ..., out_of_memory: _Optional[int] = ..., quarantined: _Optional[int] = ..., compute_s: _Optional[float] = ...) -> None: ...
