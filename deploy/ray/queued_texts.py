"""How many replicas Serve runs: by texts, since one call may bring one text or 256.

Serve pickles this module whole and runs it in its controller, so it imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

METRIC = "queued_texts"
"""What `record_autoscaling_stats` of each replica tells."""


class ScalingContext(Protocol):
    """What Serve passes to a policy; its metrics are means over `look_back_period_s`."""

    @property
    def aggregated_metrics(self) -> Mapping[str, Mapping[object, float]] | None: ...

    @property
    def target_num_replicas(self) -> int: ...


class QueuedTexts:
    """Asks for one replica for so many texts that wait or are being computed; Serve applies bounds and delays."""

    def __init__(self, texts_per_replica: float) -> None:
        if not texts_per_replica > 0:
            raise ValueError("texts_per_replica must be above 0; give a few of the engine's batches, such as 512")
        self._texts_per_replica = texts_per_replica

    def __call__(self, context: ScalingContext) -> tuple[float, dict[str, object]]:
        """Return the wanted number of replicas, and no state."""
        told = (context.aggregated_metrics or {}).get(METRIC)
        if not told:  # no replica has told anything yet
            return context.target_num_replicas, {}
        return sum(told.values()) / self._texts_per_replica, {}
