"""Arguments and results of the tools: their JSON schemas are what `tools/list` shows. Names as GrowERP published.

Unknown arguments are ignored, not refused: GrowERP's own clients send more than apply here, and none of them can widen
what the key's company may see.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints


def _absent(value: Any) -> Any:
    """Language models write null or an empty text for an argument that they leave out."""
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_absent), StringConstraints(strip_whitespace=True, max_length=200)]
Start = Annotated[int, Field(ge=0, le=1_000_000, description="How many to skip.")]
Limit = Annotated[int, Field(ge=1, le=100, description="How many to return at most.")]


class Nothing(BaseModel):
    """No arguments."""


class Page(BaseModel):
    """Paging alone."""

    start: Start = 0
    limit: Limit = 20


class CompaniesArguments(Page):
    """Arguments of get_companies."""

    companyName: Text = Field("", description="Only companies whose name contains this.")  # noqa: N815
    searchString: Text = Field("", description="Only companies whose name or address contains this.")  # noqa: N815


class UsersArguments(Page):
    """Arguments of get_users."""

    searchString: Text = Field("", description="Only users whose name or e-mail contains this.")  # noqa: N815


class EntityArguments(BaseModel):
    """Arguments of get_entity_info."""

    entityName: Text = Field("", description="One kind of record, such as Company; all of them if absent.")  # noqa: N815


class ServiceArguments(BaseModel):
    """Arguments of get_service_info."""

    serviceName: Text = Field("", description="One operation by its name; all of them if absent.")  # noqa: N815


class Currency(BaseModel):
    """A currency by its ISO 4217 code."""

    currencyId: str  # noqa: N815
    description: str


class Employee(BaseModel):
    """A member of a company."""

    partyId: str  # noqa: N815
    name: str
    role: str


class CompanyItem(BaseModel):
    """One company."""

    partyId: str  # noqa: N815
    pseudoId: str  # noqa: N815
    name: str
    email: str | None = Field(None, description="The owner's address.")
    role: str | None = Field(None, description="What the key's user is in this company.")
    state: str
    currency: Currency
    employees: list[Employee]


class Companies(BaseModel):
    """Result of get_companies."""

    companies: list[CompanyItem]
    total: int = Field(description="How many there are in all, whatever start and limit say.")


class UserItem(BaseModel):
    """One member of the key's company."""

    partyId: str  # noqa: N815
    userId: str  # noqa: N815
    name: str
    email: str
    role: str
    joinedAt: str  # noqa: N815


class Users(BaseModel):
    """Result of get_users."""

    users: list[UserItem]
    total: int


class EntityField(BaseModel):
    """One field of a kind of record."""

    name: str
    type: str
    description: str = ""


class EntityItem(BaseModel):
    """One kind of record."""

    name: str
    description: str
    fields: list[EntityField]


class Entities(BaseModel):
    """Result of get_entity_info."""

    entities: list[EntityItem]


class ServiceItem(BaseModel):
    """One operation of the portal's HTTP API."""

    name: str
    description: str
    method: str
    path: str


class Services(BaseModel):
    """Result of get_service_info."""

    services: list[ServiceItem]


class System(BaseModel):
    """Result of ping_system."""

    status: str
    version: str
    time: str
    components: dict[str, Any]


class KeyItem(BaseModel):
    """One API key, without its secret."""

    id: str
    name: str
    hint: str
    state: str
    server: str
    scopes: list[str]
    user: str | None = None
    createdAt: str  # noqa: N815
    lastUsedAt: str | None = None  # noqa: N815
    expiresAt: str | None = None  # noqa: N815


class Keys(BaseModel):
    """Result of list_api_keys."""

    keys: list[KeyItem]
    total: int


class WhoKey(BaseModel):
    """The key that the call came with."""

    id: str
    name: str
    hint: str
    state: str
    scopes: list[str]
    expiresAt: str | None = Field(None, description="Absent: it never expires.")  # noqa: N815
    server: str


class WhoCompany(BaseModel):
    """The company that the key belongs to."""

    partyId: str  # noqa: N815
    pseudoId: str  # noqa: N815
    name: str


class WhoUser(BaseModel):
    """The user that the key acts for."""

    userId: str  # noqa: N815
    name: str
    email: str
    role: str | None = None


class Whoami(BaseModel):
    """Result of whoami."""

    key: WhoKey
    company: WhoCompany
    user: WhoUser | None = Field(None, description="Absent: the key acts for the company alone.")
