"""What the tools do: ask the portal with the caller's own key, and say it in GrowERP's words. Nothing is invented."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from keys.mcp import schemas
from keys.mcp.catalogue import TOOLS, CatalogueEntry
from keys.mcp.portal_api import PortalAPI

Run = Callable[[PortalAPI, str, Any], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: how it shows, what it takes and gives, and what it does with the portal and the caller's key."""

    name: str
    title: str
    description: str
    read_only: bool
    arguments: type[BaseModel]
    result: type[BaseModel]
    run: Run


async def get_companies(portal: PortalAPI, key: str, arguments: schemas.CompaniesArguments) -> dict[str, Any]:
    """The companies that the key's user may see."""
    found = await portal.data(
        "companies",
        key,
        company_name=arguments.companyName,
        search=arguments.searchString,
        start=arguments.start,
        limit=arguments.limit,
    )
    return {
        "companies": [
            {
                "partyId": company["id"],
                "pseudoId": company["slug"],
                "name": company["name"],
                "email": company["email"],
                "role": company["role"],
                "state": company["state"],
                "currency": {
                    "currencyId": company["currency"]["code"],
                    "description": company["currency"]["name"],
                },
                "employees": [
                    {"partyId": member["id"], "name": member["name"], "role": member["role"]}
                    for member in company["members"]
                ],
            }
            for company in found["companies"]
        ],
        "total": found["total"],
    }


async def get_users(portal: PortalAPI, key: str, arguments: schemas.UsersArguments) -> dict[str, Any]:
    """The members of the key's company."""
    found = await portal.data("users", key, search=arguments.searchString, start=arguments.start, limit=arguments.limit)
    return {
        "users": [
            {
                "partyId": user["id"],
                "userId": user["id"],
                "name": user["name"],
                "email": user["email"],
                "role": user["role"],
                "joinedAt": user["joined_at"],
            }
            for user in found["users"]
        ],
        "total": found["total"],
    }


async def get_entity_info(portal: PortalAPI, key: str, arguments: schemas.EntityArguments) -> dict[str, Any]:
    """The kinds of records that the portal keeps."""
    return await portal.data("entities", key, name=arguments.entityName)


async def get_service_info(portal: PortalAPI, key: str, arguments: schemas.ServiceArguments) -> dict[str, Any]:
    """The operations of the portal's API."""
    return await portal.data("services", key, name=arguments.serviceName)


async def ping_system(portal: PortalAPI, key: str, _arguments: schemas.Nothing) -> dict[str, Any]:
    """How the portal is."""
    return await portal.data("system", key)


async def whoami(portal: PortalAPI, key: str, _arguments: schemas.Nothing) -> dict[str, Any]:
    """Whom the key stands for."""
    found = await portal.data("whoami", key)
    about, company, user = found["key"], found["company"], found.get("user")
    return {
        "key": {
            "id": about["id"],
            "name": about["name"],
            "hint": about["hint"],
            "state": about["state"],
            "scopes": about["scopes"],
            "expiresAt": about["expires_at"],
            "server": _name(about["server"]),
        },
        "company": {"partyId": company["id"], "pseudoId": company["slug"], "name": company["name"]},
        "user": user and {"userId": user["id"], "name": user["name"], "email": user["email"], "role": user.get("role")},
    }


async def list_api_keys(portal: PortalAPI, key: str, arguments: schemas.Page) -> dict[str, Any]:
    """The keys of the key's company, without their secrets."""
    found = await portal.data("keys", key, start=arguments.start, limit=arguments.limit)
    return {
        "keys": [
            {
                "id": item["id"],
                "name": item["name"],
                "hint": item["hint"],
                "state": item["state"],
                "server": _name(item["server"]),
                "scopes": item["scopes"],
                "user": item["user"] and _name(item["user"]),
                "createdAt": item["created_at"],
                "lastUsedAt": item["last_used_at"],
                "expiresAt": item["expires_at"],
            }
            for item in found["keys"]
        ],
        "total": found["total"],
    }


def _name(thing: Any) -> str:
    """The name of something that the portal gives as a name or as an object with one."""
    return str(thing["name"] if isinstance(thing, dict) else thing)


_PARTS: Final[dict[str, tuple[type[BaseModel], type[BaseModel], Run]]] = {
    "get_companies": (schemas.CompaniesArguments, schemas.Companies, get_companies),
    "get_users": (schemas.UsersArguments, schemas.Users, get_users),
    "get_entity_info": (schemas.EntityArguments, schemas.Entities, get_entity_info),
    "get_service_info": (schemas.ServiceArguments, schemas.Services, get_service_info),
    "ping_system": (schemas.Nothing, schemas.System, ping_system),
    "whoami": (schemas.Nothing, schemas.Whoami, whoami),
    "list_api_keys": (schemas.Page, schemas.Keys, list_api_keys),
}


def _tool(entry: CatalogueEntry) -> Tool:
    arguments, result, run = _PARTS[entry["name"]]
    return Tool(**entry, arguments=arguments, result=result, run=run)


BY_NAME: Final = {entry["name"]: _tool(entry) for entry in TOOLS}
