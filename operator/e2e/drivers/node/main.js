// node-postgres and postgres.js with nothing but what a pod of the backend has.
import pg from "pg";
import postgres from "postgres";

const url = process.env.DATABASE_URL;

async function askPg(options) {
  const client = new pg.Client(options);
  await client.connect();
  const { rows } = await client.query("SELECT current_user AS name");
  await client.end();
  return rows[0].name;
}

async function askPostgres(...place) {
  const sql = postgres(...place);
  try {
    return (await sql`SELECT current_user AS name`)[0].name;
  } finally {
    await sql.end();
  }
}

const questions = {
  "node-postgres DATABASE_URL": () => askPg({ connectionString: url }),
  "node-postgres PG*": () => askPg({}),
  "postgres.js DATABASE_URL": () => askPostgres(url),
  "postgres.js PG*": () => askPostgres(),
};
for (const [name, ask] of Object.entries(questions)) {
  const answer = await ask().catch((error) => error.message);
  console.log(`${name}\t${answer}`);
}
