"""psycopg and asyncpg with nothing but what a pod of the backend has."""

import asyncio
import os

import asyncpg
import psycopg

URL = os.environ["DATABASE_URL"]
ASK = "SELECT current_user"


async def ask_asyncpg(*place: str) -> str:
    connection = await asyncpg.connect(*place)
    return await connection.fetchval(ASK)


def ask_psycopg(place: str) -> str:
    with psycopg.connect(place) as connection:
        return connection.execute(ASK).fetchone()[0]


def tell(name: str, ask) -> None:
    try:
        print(name, ask(), sep="\t")
    except Exception as error:
        print(name, f"{type(error).__name__}: {error}", sep="\t")


tell("psycopg DATABASE_URL", lambda: ask_psycopg(URL))
tell("psycopg PG*", lambda: ask_psycopg(""))
tell("asyncpg DATABASE_URL", lambda: asyncio.run(ask_asyncpg(URL)))
tell("asyncpg PG*", lambda: asyncio.run(ask_asyncpg()))
