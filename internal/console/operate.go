package console

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// operatePage is the content of the page of tenants, tokens, and clients.
type operatePage struct {
	Status   int  // 0: 200
	ReadOnly bool // there are no commands
	Tenants  []operatedTenant
	Secret   string   // a new token or client secret, which is shown only here
	ClientID string   // of a new client secret
	Message  string   // result of a command
	Error    string   // of a command
	Findings []string // of a check
}

// An operatedTenant is a tenant as the command list-tenants returns it, with its tokens.
type operatedTenant struct {
	Tenant                              string
	Created, Disabled, Deleted, Stopped *time.Time
	Tokens                              []operatedToken
	Clients                             []operatedClient
}

// An operatedToken is a token as the command list-tokens returns it.
type operatedToken struct {
	ID, Label, Scope string
	Expires          time.Time
	Used, Rotated    *time.Time
	Expired          bool
}

// An operatedClient is an OAuth client as the command list-clients returns it.
type operatedClient struct {
	ID           string `json:"client_id"`
	Label, Scope string
	Secrets      []struct {
		ID      string
		Expires time.Time
		Expired bool
	}
	Federation *struct{ Issuer string } // nil: the client has secrets or keys
}

// execute runs an operator's command, and decodes its result into out.
func (c *Console) execute(ctx context.Context, command map[string]string, out any) error {
	event, err := json.Marshal(command)
	if err != nil {
		return err
	}
	result, err := c.Execute(ctx, event)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, out)
}

// operate serves the page of tenants, tokens, and clients.
func (c *Console) operate(w http.ResponseWriter, r *http.Request) { c.showOperate(w, r, operatePage{}) }

// showOperate shows the page with the result of a command.
func (c *Console) showOperate(w http.ResponseWriter, r *http.Request, p operatePage) {
	var list struct{ Tenants []operatedTenant }
	err := c.execute(r.Context(), map[string]string{"command": "list-tenants"}, &list)
	for i := range list.Tenants {
		for _, command := range []string{"list-tokens", "list-clients"} {
			if err == nil {
				err = c.execute(r.Context(), map[string]string{"command": command, "tenant": list.Tenants[i].Tenant}, &list.Tenants[i])
			}
		}
	}
	if p.Tenants = list.Tenants; err != nil {
		p.Error = err.Error()
	}
	p.ReadOnly = c.ReadOnly
	c.render(w, "operate.html", page{Title: "Operate", Section: "operate", Status: p.Status, Content: p})
}

// refuse shows that a command is refused, because the console is read-only.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request) {
	c.showOperate(w, r, operatePage{Status: http.StatusForbidden, Error: "The console is read-only. To run the command, start it with -write."})
}

// commandFields are the fields of the commands that the page offers.
func commandFields() map[string][]string {
	tenant, token, client := []string{"tenant"}, []string{"tenant", "token"}, []string{"tenant", "client"}
	return map[string][]string{
		"create-tenant": tenant, "disable-tenant": tenant, "enable-tenant": tenant, "release-tenant": tenant, "delete-tenant": tenant,
		"reset-feed": tenant, "create-token": {"tenant", "label", "scope"}, "rotate-token": token, "revoke-token": token,
		"create-client": {"tenant", "label", "scope"}, "rotate-client-secret": client, "revoke-client": client,
	}
}

// operateCommand runs the command of a form.
func (c *Console) operateCommand(w http.ResponseWriter, r *http.Request) {
	if c.ReadOnly {
		c.refuse(w, r)
		return
	}
	name := r.PostFormValue("command")
	fields, known := commandFields()[name]
	if !known {
		c.showOperate(w, r, operatePage{Error: "The page does not offer this command."})
		return
	}
	command := map[string]string{"command": name}
	for _, field := range fields {
		command[field] = r.PostFormValue(field)
	}
	var result struct {
		Token    string
		Secret   string `json:"client_secret"`
		ClientID string `json:"client_id"`
	}
	p := operatePage{Message: name + " is done."}
	if err := c.execute(r.Context(), command, &result); err != nil {
		p = operatePage{Error: err.Error()}
	}
	p.Secret, p.ClientID = cmp.Or(result.Token, result.Secret), result.ClientID
	c.showOperate(w, r, p)
}

// check checks the table, and repairs it if the form says so.
func (c *Console) check(w http.ResponseWriter, r *http.Request) {
	repair := r.PostFormValue("repair") == "yes"
	if repair && c.ReadOnly {
		c.refuse(w, r)
		return
	}
	findings, err := c.Fsck(r.Context(), repair)
	p := operatePage{Findings: findings, Message: "The table is clean."}
	if len(findings) > 0 {
		p.Message = "The check has these findings:"
	}
	if err != nil {
		p.Error, p.Message = err.Error(), ""
	}
	c.showOperate(w, r, p)
}
