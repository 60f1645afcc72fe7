"""The opponent: the list of items as FastAPI with SQLModel serves it.

It reads the tables of the backend, accepts the backend's tokens and answers with the same JSON. It is
written the way the documentation of these libraries teaches, with everything on that makes it fast
and that a deployment would have: uvloop, httptools, psycopg's C code, a pool, prepared statements.
`peer_async.py` is the same without threads.
"""

import os
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import jwt
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, status
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ValidationError
from sqlalchemy import URL, Column, DateTime
from sqlmodel import Field, Session, SQLModel, col, create_engine, func, select
from sqlmodel.sql.expression import SelectOfScalar

PREFIX = "/api/v1"
SECRET_KEY = os.environ["SECRET_KEY"]

# As many connections for each worker as the backend has: `CONNECTIONS_PER_WORKER` of its database.rs.
CONNECTIONS_PER_WORKER = 5

DATABASE = URL.create(
    "postgresql+psycopg",
    host=os.environ["POSTGRES_SERVER"],
    port=int(os.environ["POSTGRES_PORT"]),
    database=os.environ["POSTGRES_DB"],
    username=os.environ["POSTGRES_USER"],
    password=os.environ["POSTGRES_PASSWORD"],
)
POOL = {"pool_size": CONNECTIONS_PER_WORKER, "max_overflow": 0}

engine = create_engine(DATABASE, **POOL)


# === Tables and shapes ===


class User(SQLModel, table=True):
    __tablename__ = "users"

    id: uuid.UUID = Field(primary_key=True)
    email: str
    full_name: str | None
    password_hash: str
    is_active: bool
    is_superuser: bool
    token_version: int
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True)))


class ItemBase(SQLModel):
    title: str = Field(min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=2000)


class Item(ItemBase, table=True):
    __tablename__ = "items"

    id: uuid.UUID = Field(primary_key=True)
    owner_id: uuid.UUID = Field(foreign_key="users.id")
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True)))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True)))


class ItemPublic(ItemBase):
    id: uuid.UUID
    owner_id: uuid.UUID
    created_at: datetime
    updated_at: datetime


class ItemsPublic(SQLModel):
    data: list[ItemPublic]
    count: int


class Claims(BaseModel):
    sub: uuid.UUID
    purpose: str
    ver: int


# === What the route depends on ===

bearer = OAuth2PasswordBearer(tokenUrl=f"{PREFIX}/login/access-token")
TokenDep = Annotated[str, Depends(bearer)]


def open_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(open_session)]


def read_token(token: str) -> Claims:
    try:
        payload = jwt.decode(token, SECRET_KEY, algorithms=["HS256"])
        claims = Claims.model_validate(payload)
    except (jwt.InvalidTokenError, ValidationError):
        raise unauthorized() from None
    if claims.purpose != "access":
        raise unauthorized()
    return claims


def current_user(session: SessionDep, token: TokenDep) -> User:
    claims = read_token(token)
    return admit(session.get(User, claims.sub), claims)


def admit(user: User | None, claims: Claims) -> User:
    if user is None or not user.is_active or user.token_version != claims.ver:
        raise unauthorized()
    return user


def unauthorized() -> HTTPException:
    return HTTPException(
        status.HTTP_401_UNAUTHORIZED,
        "Could not validate credentials",
        headers={"WWW-Authenticate": "Bearer"},
    )


CurrentUser = Annotated[User, Depends(current_user)]
Skip = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=100)]


# === The route ===

items = APIRouter(prefix=f"{PREFIX}/items", tags=["items"])


@items.get("/", response_model=ItemsPublic)
def read_items(session: SessionDep, user: CurrentUser, skip: Skip = 0, limit: Limit = 20) -> ItemsPublic:
    count = session.exec(count_of(user)).one()
    data = session.exec(page_of(user, skip, limit)).all()
    return ItemsPublic(data=data, count=count)


def count_of(user: User) -> SelectOfScalar[int]:
    return select(func.count()).select_from(Item).where(col(Item.owner_id) == user.id)


def page_of(user: User, skip: int, limit: int) -> SelectOfScalar[Item]:
    own = select(Item).where(col(Item.owner_id) == user.id)
    return own.order_by(col(Item.id).desc()).offset(skip).limit(limit)


app = FastAPI(title="The opponent")
app.include_router(items)
