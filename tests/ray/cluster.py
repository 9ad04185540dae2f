"""Runs in Ray's own environment: three nodes on this machine with the deployment on them, which obeys lines of JSON.

`{"replicas": null}` answers with the node of each running replica, `{"head": null}` with the one that is called,
`{"kill": NODE}` kills a node's processes, `{"deploy": {NAME: VALUE}}` deploys anew with these settings of the daemon.
Each answer is a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import ray  # type: ignore[import-not-found]  # in an environment of its own
import yaml  # type: ignore[import-untyped]  # it has no stubs here
from ray import serve
from ray.cluster_utils import Cluster  # type: ignore[import-not-found]  # likewise
from ray.serve._private.api import serve_start  # type: ignore[import-not-found]  # likewise
from ray.serve.schema import ServeDeploySchema  # type: ignore[import-not-found]  # likewise

SERVE_YAML = Path(__file__).parents[2] / "deploy" / "ray" / "serve.yaml"
NODES = 3
PATIENCE_S = 120.0


class Cloud:
    """Three nodes with one processor each, so that each holds one replica; the first has HAProxy as well."""

    def __init__(self, grpc_port: int, http_port: int, changes: dict[str, Any]) -> None:
        self._changes = changes
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        self._nodes = {}
        for _ in range(NODES - 1):
            node = self._cluster.add_node(num_cpus=1)
            self._nodes[node.node_id] = node
        self._cluster.connect()
        options = self._config({})["grpc_options"] | {"port": grpc_port}
        self._client = serve_start(grpc_options=options, http_options={"location": "HeadOnly", "port": http_port})
        self.deploy({})

    def _config(self, settings: dict[str, str]) -> dict[str, Any]:
        """Return what users deploy, on processors, with the changes of the test."""
        told: dict[str, Any] = yaml.safe_load(SERVE_YAML.read_text(encoding="utf-8"))
        told["applications"][0]["import_path"] = "one_machine:app"
        deployment = told["applications"][0]["deployments"][0]
        deployment["ray_actor_options"] |= {"num_gpus": 0, "num_cpus": 1}
        deployment["ray_actor_options"]["runtime_env"]["env_vars"] |= settings | self._changes["settings"]
        deployment["autoscaling_config"] |= self._changes["autoscaling"]
        deployment["autoscaling_config"]["policy"]["policy_kwargs"] |= self._changes["policy"]
        return told

    def deploy(self, settings: dict[str, str]) -> None:
        """Deploy the file, and wait until it runs."""
        self._client.deploy_apps(ServeDeploySchema.model_validate(self._config(settings)), _blocking=False)
        end = time.monotonic() + PATIENCE_S
        while (state := serve.status().applications["embedder"]).status != "RUNNING":
            if time.monotonic() > end or state.status == "DEPLOY_FAILED":
                raise RuntimeError(str(state))
            time.sleep(0.1)

    def replicas(self) -> list[str]:
        """Return the node of each running replica."""
        details = self._client.get_serve_details()["applications"]["embedder"]["deployments"]["EmbedderReplica"]
        return [each["node_id"] for each in details["replicas"] if each["state"] == "RUNNING"]

    def head(self) -> str:
        """Return the node with HAProxy."""
        return str(self._cluster.head_node.node_id)

    def kill(self, node_id: str) -> None:
        """Kill all processes of a node at once, as a machine that loses its power."""
        import psutil  # noqa: PLC0415 - ray brings its own, on a path that it adds

        raylet = psutil.Process(self._nodes.pop(node_id).all_processes["raylet"][0].process.pid)
        for process in (raylet, *raylet.children(recursive=True)):
            process.kill()


def main() -> None:
    """Obey until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    cloud = Cloud(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        [(what, given)] = json.loads(line).items()
        answer = getattr(cloud, what)(*([] if given is None else [given]))
        print(json.dumps(answer), file=answers, flush=True)
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
