// Keeps a SQLite database equal to the users and groups of a directory. The guide is README.md in the folder above.
//
//     BASE=https://… TOKEN=… node consumer.ts [--once] FILE
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const schema = `
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, resource TEXT NOT NULL,
  userName TEXT AS (json_extract(resource, '$.userName')), active INTEGER AS (coalesce(json_extract(resource, '$.active'), 1)));
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, resource TEXT NOT NULL,
  displayName TEXT AS (json_extract(resource, '$.displayName')));
CREATE VIEW IF NOT EXISTS memberships AS
  SELECT users.id AS userId, json_extract(value, '$.value') AS groupId FROM users, json_each(resource, '$.groups');
CREATE TABLE IF NOT EXISTS position (id INTEGER PRIMARY KEY CHECK (id = 1), cursor TEXT NOT NULL);
INSERT OR IGNORE INTO position VALUES (1, '');`;
const tables = { User: "users", Group: "groups" };

type Change = { resourceType: "User" | "Group"; id: string; deleted?: boolean; resource?: object };
type Page = { changes: Change[]; nextCursor: string; more: boolean };
type Body = Page & { scimType?: string; detail?: string }; // the last two are of an error

/** Stores page after page. Throws an error that waiting does not solve. */
async function consume(db: DatabaseSync, once: boolean) {
  for (let backoff = 1, replacing = false; ; ) {
    const { cursor } = db.prepare("SELECT cursor FROM position").get() as { cursor: string };
    const response = await request(cursor);
    const { status, body } = response;
    let wait = response.retryAfter;
    if (status === 429 || status >= 500) {
      console.error(`the request failed and is repeated: status ${status} ${body.detail ?? JSON.stringify(body)}`);
      if (once && backoff === 60) throw new Error("the directory has not answered for a minute");
      wait = Math.max(wait, backoff);
      backoff = Math.min(2 * backoff, 60);
    } else if (cursor && (body.scimType === "expiredCursor" || body.scimType === "invalidCursor")) {
      console.error(`the copy begins again: ${body.scimType}`);
      db.prepare("UPDATE position SET cursor = '' WHERE cursor = ?").run(cursor);
    } else if (status !== 200) {
      throw new Error(`the request was rejected: ${status} ${body.detail ?? JSON.stringify(body)}`);
    } else {
      store(db, cursor, body);
      replacing ||= cursor === "";
      if (replacing && !body.more) {
        console.error("the copy is complete, and follows the changes");
        replacing = false;
      }
      if (once && !body.more) return;
      backoff = 1;
    }
    await sleep(1000 * wait);
  }
}

/** Requests the page at a cursor. The cursor "" is the beginning. */
async function request(cursor: string) {
  const query = new URLSearchParams({ resourceTypes: "User,Group", cursor });
  const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
  try {
    const response = await fetch(`${process.env.BASE}/Changes?${query}`, { headers, signal: AbortSignal.timeout(60_000) });
    const body = (await response.json()) as Body;
    return { status: response.status, body, retryAfter: Number(response.headers.get("Retry-After")) || 0 };
  } catch (error) {
    return { status: 599, body: { detail: `(no response): ${error}` } as Body, retryAfter: 0 };
  }
}

/** Stores a page and the next cursor in one transaction. */
function store(db: DatabaseSync, cursor: string, page: Page) {
  db.exec("BEGIN IMMEDIATE");
  try {
    const updated = db.prepare("UPDATE position SET cursor = ? WHERE cursor = ?").run(page.nextCursor, cursor);
    if (updated.changes === 1) apply(db, page.changes, cursor === ""); // otherwise another process has stored this page
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

function apply(db: DatabaseSync, changes: Change[], clear: boolean) {
  if (clear) db.exec("DELETE FROM users; DELETE FROM groups");
  for (const { resourceType, id, deleted, resource } of changes) {
    const table = tables[resourceType];
    if (deleted) db.prepare(`DELETE FROM ${table} WHERE id = ?`).run(id);
    else db.prepare(`INSERT INTO ${table} (id, resource) VALUES (?, ?)
      ON CONFLICT (id) DO UPDATE SET resource = excluded.resource`).run(id, JSON.stringify(resource));
  }
}

const { values, positionals } = parseArgs({ options: { once: { type: "boolean" } }, allowPositionals: true });
if (!process.env.BASE || !process.env.TOKEN || !positionals[0]) {
  throw new Error("set and export BASE and TOKEN, and name the file of the database");
}
const db = new DatabaseSync(positionals[0], { timeout: 5000 });
db.exec(schema);
await consume(db, values.once ?? false);
