"""Dagster's webserver behind the guard: `python -m fairsplit.orchestration.serving.webserver`, with `DAGSTER_HOME` set.

Dagster's own command takes no middleware, so that this builds its application as that command does. Written against
dagster-webserver 1.13, whose classes have these seams on purpose; the imports from `dagster._core` are the workspace's.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from graphql import GraphQLError, OperationDefinitionNode, OperationType, ValidationRule, parse
from graphql.language import SKIP
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response

from fairsplit.orchestration.project import PACKAGES
from fairsplit.orchestration.serving.guard import Guard, names_answered

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from starlette.requests import Request

# Dagster's own defaults for its statements' milliseconds, its connections' seconds, and how many of them.
_DATABASE = (15_000, 3_600, 20)
_POLL_MILLISECONDS = 2_000


class _OnlyQueries(ValidationRule):
    """Refuses every mutation, whatever permission Dagster attaches to it."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> Any:
        """Report a mutation; what it asks for need not be looked at."""
        if node.operation is OperationType.MUTATION:
            self.report_error(GraphQLError("this server only shows: it changes nothing", node))
        return SKIP


class GuardedWebserver(DagsterWebserver):  # type: ignore[type-arg]
    """Dagster's webserver that answers its own pages and refuses other sites'.

    Args:
        context: Dagster's instance and the code location.
        names: Host names that are answered.
        prefix: Path below which a proxy serves it; empty for none.
        read_only: Refuse whatever is no query.
    """

    def __init__(
        self, context: WorkspaceProcessContext, names: frozenset[str], prefix: str, *, read_only: bool
    ) -> None:
        self._names, self._read_only = names, read_only
        super().__init__(context, prefix, _POLL_MILLISECONDS)

    def build_middleware(self) -> list[Middleware]:
        """The guard before everything else."""
        return [Middleware(Guard, self._names, read_only=self._read_only), *super().build_middleware()]

    def build_graphql_validation_rules(self) -> Collection[type[Any]]:
        """GraphQL's own rules, and without permission to change anything, one more."""
        return [*super().build_graphql_validation_rules(), *([_OnlyQueries] if self._read_only else [])]

    def make_security_headers(self) -> dict[str, str]:
        """Dagster's, and: no other page may show this one in a frame, and have its buttons pressed unseen."""
        return super().make_security_headers() | {"X-Frame-Options": "DENY"}

    async def graphql_http_endpoint(self, request: Request) -> Response:
        """A query by any method; a mutation by POST alone."""
        if request.method != "POST" and _mutates(request.query_params.get("query", "")):
            return PlainTextResponse(
                "refused: a mutation is asked for by POST\n", status_code=405, headers={"Allow": "POST"}
            )
        answer: Response = await super().graphql_http_endpoint(request)
        return answer


def _mutates(query: str) -> bool:
    try:
        document = parse(query)
    except GraphQLError:
        return False  # the endpoint says what is wrong with it
    return any(
        isinstance(node, OperationDefinitionNode) and node.operation is OperationType.MUTATION
        for node in document.definitions
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until a signal ends it."""
    options = argparse.ArgumentParser()
    options.add_argument("--host", required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--prefix", default="")
    options.add_argument("--allow-host", action="append", default=[])
    options.add_argument("--read-only", action="store_true")
    asked = options.parse_args(arguments)
    target = WorkspaceFileTarget([str(PACKAGES / "fairsplit" / "workspace.yaml")])
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(*_DATABASE)
        with WorkspaceProcessContext(
            instance, target, version=__version__, read_only=asked.read_only, code_server_log_level="warning"
        ) as context:
            names = names_answered(asked.host, asked.allow_host)
            server = GuardedWebserver(context, names, asked.prefix, read_only=asked.read_only)
            uvicorn.run(server.create_asgi_app(), host=asked.host, port=asked.port, log_level="warning")


if __name__ == "__main__":
    main()
