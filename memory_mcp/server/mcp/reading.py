"""Handlers for MCP's requests about resources, prompts and completions."""

from __future__ import annotations

import mcp_types as types

from memory_mcp.application.dispatcher import GetServices
from memory_mcp.domain.principal import Principal, Reach
from memory_mcp.server.mcp.adapter import Context

ListPage = types.PaginatedRequestParams | None

COMPLETED = 100
"""Maximum values of a completion in MCP."""


class ReadingHandlers:
    """Handlers for everything but tools; each imports what it needs when called."""

    def __init__(self, services: GetServices, *, read_only: bool) -> None:
        self._services = services
        self._read_only = read_only

    async def list_resources(self, principal: Principal, ctx: Context, params: ListPage) -> types.ListResourcesResult:
        del principal, ctx, params
        from memory_mcp.application.resources import MIME_TYPE, RESOURCES  # noqa: PLC0415 - not before the handshake

        return types.ListResourcesResult(
            resources=[
                types.Resource(uri=it.uri, name=it.name, description=it.description, mime_type=MIME_TYPE)
                for it in RESOURCES
            ]
        )

    async def list_templates(
        self, principal: Principal, ctx: Context, params: ListPage
    ) -> types.ListResourceTemplatesResult:
        del principal, ctx, params
        from memory_mcp.application.resources import MIME_TYPE, TEMPLATES  # noqa: PLC0415 - not before the handshake

        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    uri_template=it.uri, name=it.name, description=it.description, mime_type=MIME_TYPE
                )
                for it in TEMPLATES
            ]
        )

    async def read_resource(
        self, principal: Principal, ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        del ctx
        from memory_mcp.application.resources import MIME_TYPE, Address, read  # noqa: PLC0415 - not before the handshake

        text = await read(await self._services(), Address.parse(params.uri), principal.reach.namespace)
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=params.uri, mime_type=MIME_TYPE, text=text)]
        )

    async def list_prompts(self, principal: Principal, ctx: Context, params: ListPage) -> types.ListPromptsResult:
        del principal, ctx, params
        from memory_mcp.application.prompts import offered  # noqa: PLC0415 - not before the handshake

        return types.ListPromptsResult(
            prompts=[
                types.Prompt(
                    name=prompt.name,
                    description=prompt.description,
                    arguments=[
                        types.PromptArgument(name=it.name, description=it.description, required=it.required)
                        for it in prompt.arguments
                    ],
                )
                for prompt in offered(read_only=self._read_only)
            ]
        )

    async def get_prompt(
        self, principal: Principal, ctx: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        del ctx
        from memory_mcp.application.prompts import make, offered  # noqa: PLC0415 - not before the handshake

        prompts, namespace = offered(read_only=self._read_only), principal.reach.namespace
        text = await make(await self._services(), namespace, params.name, params.arguments or {}, prompts)
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=types.TextContent(text=text))])

    async def complete(
        self, principal: Principal, ctx: Context, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        """Answer `completion/complete` for tags and namespaces; other arguments have no completions."""
        del ctx
        completions = await self._completions(params.argument.name, params.argument.value, principal.reach)
        return types.CompleteResult(
            completion=types.Completion(values=completions[:COMPLETED], has_more=len(completions) > COMPLETED)
        )

    async def _completions(self, name: str, prefix: str, reach: Reach) -> list[str]:
        memories = (await self._services()).memories
        if name == "tag":
            return await memories.tags_like(prefix, reach.namespace, COMPLETED + 1)
        if name == "namespace":
            return await memories.namespaces_like(prefix, reach, COMPLETED + 1)
        return []
