"""The opponent once more, with async functions and async sessions: less common, and faster."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

import peer
from peer import ItemsPublic, Limit, Skip, TokenDep, User

engine = create_async_engine(peer.DATABASE, **peer.POOL)


async def open_session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine) as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(open_session)]


async def current_user(session: SessionDep, token: TokenDep) -> User:
    claims = peer.read_token(token)
    return peer.admit(await session.get(User, claims.sub), claims)


CurrentUser = Annotated[User, Depends(current_user)]

items = APIRouter(prefix=f"{peer.PREFIX}/items", tags=["items"])


@items.get("/", response_model=ItemsPublic)
async def read_items(
    session: SessionDep, user: CurrentUser, skip: Skip = 0, limit: Limit = 20
) -> ItemsPublic:
    count = (await session.exec(peer.count_of(user))).one()
    data = (await session.exec(peer.page_of(user, skip, limit))).all()
    return ItemsPublic(data=data, count=count)


app = FastAPI(title="The opponent, async")
app.include_router(items)
