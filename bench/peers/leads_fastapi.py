"""The peer with FastAPI, SQLAlchemy 2 (asyncpg) and Pydantic 2: six operations on the product's
tables, as the documentation of the three teaches.

Run it with uvicorn. BENCH_DATABASE is the address of the database as a URL, BENCH_CONNECTIONS the
number of connections.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, EmailStr, Field
from sqlalchemy import JSON, Computed, DateTime, FetchedValue, Select, Text, select, text, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(
    os.environ["BENCH_DATABASE"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=int(os.environ["BENCH_CONNECTIONS"]),
    max_overflow=0,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI(title="Leads")


class Base(DeclarativeBase):
    """The base of the tables."""

    type_annotation_map = {datetime: DateTime(timezone=True), str: Text}  # noqa: RUF012


class Lead(Base):
    """app.lead."""

    __tablename__ = "lead"
    __table_args__ = {"schema": "app"}  # noqa: RUF012
    # One statement for an INSERT or an UPDATE and what the database computes.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=FetchedValue())
    name: Mapped[str | None]
    company: Mapped[str | None]
    email: Mapped[str | None]
    source: Mapped[str | None]
    lead_score: Mapped[int] = mapped_column(server_default=FetchedValue())
    pipeline_stage: Mapped[str] = mapped_column(server_default=FetchedValue())
    industry: Mapped[str | None]
    company_size: Mapped[str | None]
    pain_points: Mapped[str | None]
    timeline: Mapped[str | None]
    budget_range: Mapped[str | None]
    ai_reasoning: Mapped[str | None]
    qualification_completed_at: Mapped[datetime | None] = mapped_column(
        server_default=FetchedValue(), server_onupdate=FetchedValue()
    )
    created_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    updated_at: Mapped[datetime] = mapped_column(server_default=FetchedValue(), server_onupdate=FetchedValue())
    pipeline_stage_and_source: Mapped[str | None] = mapped_column(
        Computed("pipeline_stage || '/' || source"), deferred=True
    )


class Event(Base):
    """audit.event."""

    __tablename__ = "event"
    __table_args__ = {"schema": "audit"}  # noqa: RUF012

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    action: Mapped[str]
    source: Mapped[str]
    correlation_id: Mapped[str | None]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)


Short = Annotated[str | None, Field(min_length=1, max_length=128)]
Name = Annotated[str | None, Field(min_length=1, max_length=255)]
Long = Annotated[str | None, Field(min_length=1, max_length=10_000)]


class LeadPatch(BaseModel):
    """The fields of a lead that a client may send."""

    model_config = ConfigDict(extra="forbid")

    name: Name = None
    company: Name = None
    email: EmailStr | None = None
    source: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")] = None
    lead_score: Annotated[int, Field(ge=0, le=100)] = 0
    pipeline_stage: Annotated[str, Field(min_length=1, max_length=64)] = "new"
    industry: Short = None
    company_size: Short = None
    pain_points: Long = None
    timeline: Short = None
    budget_range: Short = None
    ai_reasoning: Long = None


class LeadIn(LeadPatch):
    """A new lead."""


class LeadChange(BaseModel):
    """A lead as the response to PATCH shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    organization_id: UUID
    name: str | None
    company: str | None
    email: str | None
    source: str | None
    lead_score: int
    pipeline_stage: str
    updated_at: datetime


class LeadItem(LeadChange):
    """A lead as a list shows it."""

    industry: str | None
    company_size: str | None
    created_at: datetime


class LeadWhole(LeadItem):
    """A lead with all fields."""

    pain_points: str | None
    timeline: str | None
    budget_range: str | None
    ai_reasoning: str | None
    qualification_completed_at: datetime | None


class EventItem(BaseModel):
    """An event of the audit log."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    organization_id: UUID
    action: str
    source: str
    correlation_id: str | None
    payload: dict[str, Any]
    created_at: datetime


class LeadPage(BaseModel):
    """A page of leads."""

    data: list[LeadItem]
    next_cursor: str | None


class EventPage(BaseModel):
    """A page of events."""

    data: list[EventItem]
    next_cursor: str | None


async def get_session() -> AsyncIterator[AsyncSession]:
    """A session for the request."""
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]

_KEY_SECONDS = 60.0
_known: dict[str, tuple[UUID, float]] = {}
"""The organization of each key that was seen, and when to look the key up again."""


async def get_organization(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())], session: Session
) -> UUID:
    """The organization of the request's key."""
    key = credentials.credentials
    known = _known.get(key)
    if known is not None and time.monotonic() < known[1]:
        return known[0]
    digest = hashlib.sha256(hashlib.sha256(key.encode()).digest()).digest()
    organization: UUID | None = await session.scalar(
        text(
            "select organization_id from auth.api_key "
            "where digest = :digest and revoked_at is null and (expires_at is null or expires_at > now())"
        ),
        {"digest": digest},
    )
    if organization is None:
        raise HTTPException(401, "unauthorized")
    _known[key] = organization, time.monotonic() + _KEY_SECONDS
    return organization


Organization = Annotated[UUID, Depends(get_organization)]
Limit = Annotated[int, Query(ge=1, le=200)]


def encode_cursor(row: Lead | Event) -> str:
    """The cursor of the page after the row."""
    return base64.urlsafe_b64encode(json.dumps([row.created_at.isoformat(), str(row.id)]).encode()).decode()


def after(query: Select[Any], table: type[Lead] | type[Event], cursor: str | None, limit: int) -> Select[Any]:
    """The query's page after the cursor, newest first, with one row more than the limit."""
    if cursor is not None:
        try:
            created_at, id = json.loads(base64.urlsafe_b64decode(cursor))
            bound = (datetime.fromisoformat(created_at), UUID(id))
        except ValueError:
            raise HTTPException(422, "invalid cursor") from None
        query = query.where(tuple_(table.created_at, table.id) < bound)
    return query.order_by(table.created_at.desc(), table.id.desc()).limit(limit + 1)


@app.get("/api/v1/leads/{id}", response_model=LeadWhole)
async def get_lead(id: UUID, organization: Organization, session: Session) -> Lead:
    """Gets a lead."""
    lead = await session.scalar(select(Lead).where(Lead.organization_id == organization, Lead.id == id))
    if lead is None:
        raise HTTPException(404, "not found")
    return lead


@app.get("/api/v1/leads", response_model=LeadPage)
async def list_leads(
    organization: Organization,
    session: Session,
    limit: Limit = 50,
    cursor: str | None = None,
    pipeline_stage: str | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Lists leads, newest first."""
    query = select(Lead).where(Lead.organization_id == organization)
    if pipeline_stage is not None and source is not None:
        query = query.where(Lead.pipeline_stage_and_source == f"{pipeline_stage}/{source}")
    elif pipeline_stage is not None:
        query = query.where(Lead.pipeline_stage == pipeline_stage)
    elif source is not None:
        query = query.where(Lead.source == source)
    leads = (await session.scalars(after(query, Lead, cursor, limit))).all()
    return {"data": leads[:limit], "next_cursor": encode_cursor(leads[limit - 1]) if len(leads) > limit else None}


@app.post("/api/v1/leads", response_model=LeadItem, status_code=201)
async def create_lead(body: LeadIn, organization: Organization, session: Session) -> Lead:
    """Creates a lead."""
    lead = Lead(organization_id=organization, **body.model_dump(exclude_unset=True))
    session.add(lead)
    await commit(session)
    return lead


@app.patch("/api/v1/leads/{id}", response_model=LeadChange)
async def update_lead(id: UUID, body: LeadPatch, organization: Organization, session: Session) -> Lead:
    """Changes a lead."""
    lead = await session.scalar(select(Lead).where(Lead.organization_id == organization, Lead.id == id))
    if lead is None:
        raise HTTPException(404, "not found")
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(lead, name, value)
    await commit(session)
    return lead


@app.get("/api/v1/audit-log", response_model=EventPage)
async def list_events(
    organization: Organization, session: Session, limit: Limit = 50, cursor: str | None = None
) -> dict[str, Any]:
    """Lists the audit log, newest first."""
    query = select(Event).where(Event.organization_id == organization)
    events = (await session.scalars(after(query, Event, cursor, limit))).all()
    return {"data": events[:limit], "next_cursor": encode_cursor(events[limit - 1]) if len(events) > limit else None}


async def commit(session: AsyncSession) -> None:
    """Commits the session. A value that the database refuses is the client's mistake."""
    try:
        await session.commit()
    except IntegrityError as error:
        raise HTTPException(422, str(error.orig)) from None
