"""`memory-mcp reembed`."""

from __future__ import annotations

import click

from memory_mcp.cli.output import count_up
from memory_mcp.cli.session import administer, as_json_option, say
from memory_mcp.maintenance.reembedding import Reembedded
from memory_mcp.tools.services import Services


@click.command()
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="The share of the time it may keep the daemon busy.",
)
@click.option("--drop-old", is_flag=True, help="Remove the vectors of all other models afterwards.")
@as_json_option
def reembed(*, share: float, drop_old: bool, as_json: bool) -> None:
    """Re-embed all memories with the model that the daemon serves now, then search with the new vectors.

    Searches and writes go on meanwhile. If it is interrupted, run it again: it continues where it stopped.
    """

    async def work(services: Services) -> tuple[Reembedded, int]:
        done = await services.reembedding.run(lambda it: count_up(it.done, it.total), share=share)
        await services.chores.drain()  # pending passages of memories that already have some vectors
        return done, await services.reembedding.drop_others() if drop_old else 0

    done, dropped = administer("reembed", work, writes=True)
    data = {
        "before": done.before.id if done.before else None,
        "after": done.after.id,
        "memories": done.memories,
        "dropped": dropped,
    }
    removed = f"; removed the vectors of {dropped} other models" if drop_old else ""
    if done.before == done.after and not done.memories:
        say(f"all memories already have vectors of {done.after.id}{removed}", data, as_json=as_json)
    else:
        say(f"re-embedded {done.memories} memories with {done.after.id}{removed}", data, as_json=as_json)
