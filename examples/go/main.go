// rosterd's tables from Go: sign-in, session, roles, change feed, webhook receiver. DATABASE_URL names the database.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	_ "github.com/lib/pq"
	_ "github.com/mattn/go-sqlite3"
)

// Rosterd reads the tables for one tenant.
type Rosterd struct {
	db     *sql.DB
	tenant string
	sqlite bool
}

func open(url, tenant string) (*Rosterd, error) {
	if strings.HasPrefix(url, "sqlite://") {
		db, err := sql.Open("sqlite3", "file:"+strings.TrimPrefix(url, "sqlite://")+"?mode=ro")
		return &Rosterd{db, tenant, true}, err
	}
	db, err := sql.Open("postgres", url)
	return &Rosterd{db, tenant, false}, err
}

// read runs one query in a transaction that ends with it, and calls row for each row.
func (r *Rosterd) read(row func(*sql.Rows) error, query string, parameters ...any) error {
	tx, err := r.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if !r.sqlite {
		// The wall of a reader: the tenant ends with the transaction, so a pool cannot carry it on.
		if _, err := tx.Exec("SELECT set_config('rosterd.tenant', $1, true)", r.tenant); err != nil {
			return err
		}
		if _, err := tx.Exec("SET LOCAL search_path = rosterd"); err != nil {
			return err
		}
	}
	rows, err := tx.Query(query, parameters...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// SignIn is the answer to a login.
type SignIn struct {
	Allowed bool    `json:"allowed"`
	Reason  string  `json:"reason"`
	User    *string `json:"user,omitempty"`
	Epoch   *int64  `json:"epoch,omitempty"`
}

// SignIn gives the user of a login, or the reason of a refusal.
func (r *Rosterd) SignIn(directory, idpID string) (answer SignIn, err error) {
	answer.Reason = "unknown"
	err = r.read(func(row *sql.Rows) error {
		return row.Scan(&answer.User, &answer.Allowed, &answer.Reason, &answer.Epoch)
	}, `SELECT user_id, may_sign_in, reason, access_epoch FROM sign_in
	    WHERE found_by = 'idp_id' AND tenant_id = $1 AND directory_id = $2 AND idp_id = $3`, r.tenant, directory, idpID)
	return answer, err
}

// IsSessionValid is asked on every request: is the access that the session was given still the same?
func (r *Rosterd) IsSessionValid(user string, epoch int64) (valid bool, err error) {
	err = r.read(func(*sql.Rows) error { valid = true; return nil },
		"SELECT 1 FROM users WHERE tenant_id = $1 AND id = $2 AND status = 'active' AND access_epoch = $3", r.tenant, user, epoch)
	return valid, err
}

// Roles lists what the user may do.
func (r *Rosterd) Roles(user string) ([]string, error) {
	roles := []string{}
	err := r.read(func(row *sql.Rows) error {
		var role string
		defer func() { roles = append(roles, role) }()
		return row.Scan(&role)
	}, "SELECT role_slug FROM user_roles WHERE tenant_id = $1 AND user_id = $2 ORDER BY role_slug", r.tenant, user)
	return roles, err
}

// Changes gives the records of the tenant after one, and the number from which to go on.
func (r *Rosterd) Changes(after int64) (map[string]any, error) {
	var newest int64
	err := r.read(func(row *sql.Rows) error { return row.Scan(&newest) }, "SELECT seq FROM changes_head")
	if err != nil {
		return nil, err
	}
	records := [][2]any{}
	err = r.read(func(row *sql.Rows) error {
		var kind string
		var subject []byte
		if err := row.Scan(&kind, &subject); err != nil {
			return err
		}
		records = append(records, [2]any{kind, json.RawMessage(subject)})
		return nil
	}, "SELECT kind, subject FROM changes WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq", r.tenant, after, newest)
	return map[string]any{"next": newest, "records": records}, err
}

// isSigned checks Standard Webhooks 1.0 with Go's own packages. The module
// github.com/standard-webhooks/standard-webhooks/libraries/go does the same.
func isSigned(secret string, header http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	seconds, wrong := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	age := time.Since(time.Unix(seconds, 0))
	if err != nil || wrong != nil || age > 5*time.Minute || age < -5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", header.Get("webhook-id"), seconds, body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, signature := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal([]byte(signature), []byte(expected)) {
			return true
		}
	}
	return false
}

// receive takes webhooks, and believes only signed ones.
func receive(port string) error {
	secret := os.Getenv("WEBHOOK_SECRET")
	return http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, 1<<20))
		var record struct {
			Type string
			Data struct{ Subject json.RawMessage }
		}
		if err != nil || !isSigned(secret, request.Header, body) || json.Unmarshal(body, &record) != nil {
			response.WriteHeader(http.StatusBadRequest)
			return
		}
		// Store it, or end sessions. The same webhook-id may come again.
		line, _ := json.Marshal([]any{record.Type, record.Data.Subject})
		fmt.Println(string(line))
		response.WriteHeader(http.StatusNoContent)
	}))
}

func answer(arguments []string) (any, error) {
	rosterd, err := open(os.Getenv("DATABASE_URL"), arguments[0])
	if err != nil {
		return nil, err
	}
	switch verb, rest := arguments[1], arguments[2:]; verb {
	case "sign-in":
		return rosterd.SignIn(rest[0], rest[1])
	case "session":
		epoch, err := strconv.ParseInt(rest[1], 10, 64)
		if err != nil {
			return nil, err
		}
		return rosterd.IsSessionValid(rest[0], epoch)
	case "roles":
		return rosterd.Roles(rest[0])
	case "changes":
		after, err := strconv.ParseInt(rest[0], 10, 64)
		if err != nil {
			return nil, err
		}
		return rosterd.Changes(after)
	default:
		return nil, fmt.Errorf("unknown verb %s", verb)
	}
}

func main() {
	if os.Args[1] == "receive" {
		log.Fatal(receive(os.Args[2]))
	}
	found, err := answer(os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}
