"""Keeps a SQLite database equal to the users and groups of a directory. The guide is README.md.

BASE=https://… TOKEN=… python3 consumer.py [--once] FILE
"""
import argparse
import http.client
import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, resource TEXT NOT NULL,
    userName TEXT AS (json_extract(resource, '$.userName')), active INTEGER AS (coalesce(json_extract(resource, '$.active'), 1)));
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, resource TEXT NOT NULL,
    displayName TEXT AS (json_extract(resource, '$.displayName')));
CREATE VIEW IF NOT EXISTS memberships AS
    SELECT users.id AS userId, json_extract(value, '$.value') AS groupId FROM users, json_each(resource, '$.groups');
CREATE TABLE IF NOT EXISTS position (id INTEGER PRIMARY KEY CHECK (id = 1), cursor TEXT NOT NULL);
INSERT OR IGNORE INTO position VALUES (1, '');
"""
TABLES = {"User": "users", "Group": "groups"}


def consume(db, once):
    """Stores page after page. Exits at an error that waiting does not solve."""
    backoff, replacing = 1, False
    while True:
        (cursor,) = db.execute("SELECT cursor FROM position").fetchone()
        status, body, wait = fetch(cursor)
        if status == 429 or status >= 500:
            print(f"the request failed and is repeated: status {status} {body.get('detail', body)}", file=sys.stderr)
            if once and backoff == 60:
                sys.exit("the directory has not answered for a minute")
            wait, backoff = max(wait, backoff), min(2 * backoff, 60)
        elif cursor and body.get("scimType") in ("expiredCursor", "invalidCursor"):
            print(f"the copy begins again: {body['scimType']}", file=sys.stderr)
            with db:
                db.execute("UPDATE position SET cursor = '' WHERE cursor = ?", (cursor,))
        elif status != 200:
            sys.exit(f"the request was rejected: {status} {body.get('detail', body)}")
        else:
            store(db, cursor, body)
            replacing = replacing or not cursor
            if replacing and not body["more"]:
                print("the copy is complete, and follows the changes", file=sys.stderr)
                replacing = False
            if once and not body["more"]:
                return
            backoff = 1
        time.sleep(wait)


def fetch(cursor):
    """Requests the page at a cursor, and returns status, body, and Retry-After. The cursor "" is the beginning."""
    query = urllib.parse.urlencode({"resourceTypes": "User,Group", "cursor": cursor})
    request = urllib.request.Request(f"{os.environ['BASE']}/Changes?{query}")
    request.add_header("Authorization", f"Bearer {os.environ['TOKEN']}")
    try:
        try:
            response = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            response = error  # it has the status and the body
        with response:
            return response.status, json.load(response), int(response.headers.get("Retry-After", 0))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 599, {"detail": f"(no response): {error}"}, 0


def store(db, cursor, page):
    """Stores a page and the next cursor in one transaction."""
    with db:
        updated = db.execute("UPDATE position SET cursor = ? WHERE cursor = ?", (page["nextCursor"], cursor))
        if updated.rowcount == 0:
            return  # another process has stored this page
        if not cursor:
            db.execute("DELETE FROM users")
            db.execute("DELETE FROM groups")
        for change in page["changes"]:
            table = TABLES[change["resourceType"]]
            if change.get("deleted"):
                db.execute(f"DELETE FROM {table} WHERE id = ?", (change["id"],))
            else:
                db.execute(f"INSERT INTO {table} (id, resource) VALUES (?, ?)"
                           " ON CONFLICT (id) DO UPDATE SET resource = excluded.resource",
                           (change["id"], json.dumps(change["resource"])))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true", help="end when all changes are stored")
    parser.add_argument("file")
    arguments = parser.parse_args()
    if not os.environ.get("BASE") or not os.environ.get("TOKEN"):
        sys.exit("set and export BASE and TOKEN")
    database = sqlite3.connect(arguments.file)
    database.executescript(SCHEMA)
    consume(database, arguments.once)
