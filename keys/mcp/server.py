"""The MCP server proper, on the official SDK: tools, resources and a prompt, for both protocol eras, no sessions."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from keys.mcp import VERSION, resources
from keys.mcp.portal_api import PortalAPI, PortalRefusal
from keys.mcp.tools import BY_NAME, Tool

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from keys.mcp.access import Caller

logger = logging.getLogger(__name__)

NAME: Final = "growerp-system"  # as in the published snippet, so that assistants name it as the documentation does
CALLER: Final = "latchkey.caller"  # where the gate leaves the caller in the ASGI scope
INSTRUCTIONS: Final = (
    "Answers questions about the companies, users and API keys of the Latchkey portal. Use get_companies for a company"
    " list. Every answer is bounded by the company of the API key."
)
# The catalogue is the same for everybody and changes only with a release; what is read belongs to the key.
_PUBLIC = CacheHint(ttl_ms=3_600_000, scope="public")


def build_server(portal: PortalAPI) -> Server[Any]:
    """An MCP server that answers from `portal`, with the key of each request's caller."""

    async def list_tools(_context: ServerRequestContext[Any], _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed_tools())

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name[:128]}", {"tools": sorted(BY_NAME)})
        try:
            arguments = tool.arguments.model_validate(params.arguments or {})
        except ValidationError as error:
            return _failed(f"Wrong arguments for {tool.name}: {_explain(error)}")
        try:
            result = tool.result.model_validate(await tool.run(portal, _caller(context).key, arguments))
        except PortalRefusal as refusal:
            return _failed(refusal.message)
        except (ValidationError, KeyError, TypeError):
            logger.exception("The portal's answer to %s is not of the agreed form", tool.name)
            return _failed(f"{tool.name} could not read the portal's answer; the operator can see why in the log.")
        content = result.model_dump(mode="json", exclude_none=True)
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=content)

    async def list_resources(_context: ServerRequestContext[Any], _params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=listed_resources())

    async def read_resource(
        context: ServerRequestContext[Any], params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        resource = resources.RESOURCES.get(uri)
        if resource is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown resource: {uri[:200]}", {"uri": uri[:200]})
        try:
            text = await resource.read(portal, _caller(context).key)
        except PortalRefusal as refusal:
            raise MCPError(types.INTERNAL_ERROR, refusal.message, {"uri": uri}) from refusal
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=params.uri, mime_type=resource.mime_type, text=text)]
        )

    async def list_templates(_context: ServerRequestContext[Any], _params: Any) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[])

    async def list_prompts(_context: ServerRequestContext[Any], _params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=listed_prompts())

    async def get_prompt(
        _context: ServerRequestContext[Any], params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        if params.name != resources.PROMPT:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name[:128]}")
        return types.GetPromptResult(
            description=resources.PROMPT_DESCRIPTION,
            messages=[
                types.PromptMessage(role="user", content=types.TextContent(type="text", text=resources.PROMPT_TEXT))
            ],
        )

    return Server(
        NAME,
        version=VERSION,
        title="Latchkey",
        instructions=INSTRUCTIONS,
        cache_hints={
            "tools/list": _PUBLIC,
            "prompts/list": _PUBLIC,
            "resources/list": _PUBLIC,
            "resources/templates/list": _PUBLIC,
        },
        get_tool_input_schema=lambda name: BY_NAME[name].arguments.model_json_schema() if name in BY_NAME else None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


def listed_tools() -> list[types.Tool]:
    """The tools as `tools/list` and `GET /tools` show them."""
    return [_listed(tool) for tool in BY_NAME.values()]


def listed_resources() -> list[types.Resource]:
    """The resources as `resources/list` and `GET /resources` show them."""
    return [
        types.Resource(
            uri=item.uri,
            name=item.name,
            title=item.title,
            description=item.description,
            mime_type=item.mime_type,
        )
        for item in resources.RESOURCES.values()
    ]


def listed_prompts() -> list[types.Prompt]:
    """The prompts as `prompts/list` and `GET /prompts` show them."""
    return [
        types.Prompt(
            name=resources.PROMPT, title=resources.PROMPT_TITLE, description=resources.PROMPT_DESCRIPTION, arguments=[]
        )
    ]


def _listed(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.arguments.model_json_schema(),
        output_schema=tool.result.model_json_schema(mode="serialization"),
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=not tool.read_only,
            idempotent_hint=tool.read_only,
            open_world_hint=False,
        ),
    )


def _caller(context: ServerRequestContext[Any]) -> Caller:
    """The caller whom the gate let in. A request that did not pass it has none, and is a defect of ours."""
    caller: Caller = context.request.scope[CALLER]  # type: ignore[union-attr]
    return caller


def _failed(text: str) -> types.CallToolResult:
    """A failure that the model should read and may correct (tool execution error, not a protocol error)."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


def _explain(error: ValidationError) -> str:
    """Which argument is wrong and why, without repeating its value."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    )
