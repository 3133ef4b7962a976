// Consumer keeps a SQLite database equal to the users and groups of a directory. The guide is README.md in the folder above.
//
//	BASE=https://… TOKEN=… go run . [-once] FILE
package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	_ "modernc.org/sqlite"
)

const schema = `
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, resource TEXT NOT NULL,
	userName TEXT AS (json_extract(resource, '$.userName')), active INTEGER AS (coalesce(json_extract(resource, '$.active'), 1)));
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, resource TEXT NOT NULL,
	displayName TEXT AS (json_extract(resource, '$.displayName')));
CREATE VIEW IF NOT EXISTS memberships AS
	SELECT users.id AS userId, json_extract(value, '$.value') AS groupId FROM users, json_each(resource, '$.groups');
CREATE TABLE IF NOT EXISTS position (id INTEGER PRIMARY KEY CHECK (id = 1), cursor TEXT NOT NULL);
INSERT OR IGNORE INTO position VALUES (1, '');`

// A response is a page or an error.
type response struct {
	Changes []struct {
		ResourceType, ID string
		Deleted          bool
		Resource         json.RawMessage // absent if Deleted
	}
	NextCursor       string
	More             bool
	ScimType, Detail string // of an error
	Message          string // of an error of API Gateway
	status           int
	retryAfter       time.Duration
}

func main() {
	once := flag.Bool("once", false, "end when all changes are stored")
	flag.Parse()
	if os.Getenv("BASE") == "" || os.Getenv("TOKEN") == "" || flag.Arg(0) == "" {
		log.Fatal("set and export BASE and TOKEN, and name the file of the database")
	}
	db, err := sql.Open("sqlite", flag.Arg(0)+"?_pragma=busy_timeout(5000)")
	if err == nil {
		_, err = db.Exec(schema)
	}
	if err == nil {
		err = consume(db, *once)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// consume stores page after page. It returns an error that waiting does not solve.
func consume(db *sql.DB, once bool) error {
	backoff, replacing := time.Second, false
	for {
		var cursor string
		if err := db.QueryRow(`SELECT cursor FROM position`).Scan(&cursor); err != nil {
			return err
		}
		r, err := fetch(cursor)
		wait := r.retryAfter
		switch {
		case err != nil || r.status == 429 || r.status >= 500:
			log.Printf("the request failed and is repeated: status %d %s%s %v", r.status, r.Detail, r.Message, err)
			if once && backoff == time.Minute {
				return errors.New("the directory has not answered for a minute")
			}
			wait, backoff = max(wait, backoff), min(2*backoff, time.Minute)
		case cursor != "" && (r.ScimType == "expiredCursor" || r.ScimType == "invalidCursor"):
			log.Printf("the copy begins again: %s", r.ScimType)
			if _, err := db.Exec(`UPDATE position SET cursor = '' WHERE cursor = ?`, cursor); err != nil {
				return err
			}
		case r.status != 200:
			return fmt.Errorf("the request was rejected: %d %s%s", r.status, r.Detail, r.Message)
		default:
			if err := store(db, cursor, r); err != nil {
				return err
			}
			if replacing = replacing || cursor == ""; replacing && !r.More {
				log.Print("the copy is complete, and follows the changes")
				replacing = false
			}
			if once && !r.More {
				return nil
			}
			backoff = time.Second
		}
		time.Sleep(wait)
	}
}

// fetch requests the page at a cursor. The cursor "" is the beginning.
func fetch(cursor string) (r response, err error) {
	query := url.Values{"resourceTypes": {"User,Group"}, "cursor": {cursor}}
	request, err := http.NewRequest("GET", os.Getenv("BASE")+"/Changes?"+query.Encode(), nil)
	if err != nil {
		return r, err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(request)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	r.status, r.retryAfter = resp.StatusCode, time.Duration(seconds)*time.Second
	return r, json.NewDecoder(resp.Body).Decode(&r)
}

// store stores a page and the next cursor in one transaction.
func store(db *sql.DB, cursor string, page response) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	updated, err := tx.Exec(`UPDATE position SET cursor = ? WHERE cursor = ?`, page.NextCursor, cursor)
	if err != nil {
		return err
	}
	if n, err := updated.RowsAffected(); n == 0 {
		return err // another process has stored this page
	}
	if cursor == "" {
		if _, err := tx.Exec(`DELETE FROM users; DELETE FROM groups`); err != nil {
			return err
		}
	}
	for _, c := range page.Changes {
		table := map[string]string{"User": "users", "Group": "groups"}[c.ResourceType]
		if c.Deleted {
			_, err = tx.Exec(`DELETE FROM `+table+` WHERE id = ?`, c.ID)
		} else {
			_, err = tx.Exec(`INSERT INTO `+table+` (id, resource) VALUES (?, ?)
				ON CONFLICT (id) DO UPDATE SET resource = excluded.resource`, c.ID, string(c.Resource))
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}
