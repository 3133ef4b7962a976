package feed

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
)

// The log must decode as it was encoded. The encoder is a second implementation of json.Marshal.
func TestAppendJSONEqualsMarshal(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{"", "a", "name.familyName", "urn:x:2.0:User:department", "\"<script>\\\u2028", "é€😀", "\x00\n\t"}
	text := func() string { return texts[random.IntN(len(texts))] }
	list := func() (l []string) {
		for range random.IntN(3) {
			l = append(l, text())
		}
		return l
	}
	for range 2000 {
		c := Change{ResourceType: "User", ResourceID: "u" + text(), Version: random.Int64N(3), GroupsVersion: random.Int64N(3),
			At: time.UnixMilli(random.Int64N(4e12)).UTC(), Kinds: []Kind{Created, Kind(text())}[:1+random.IntN(2)], Replaced: random.IntN(2) == 0,
			Attributes: list(), Joined: list(), Left: list(), Request: text(), Token: text()}
		var got, want Change
		marshaled, err := json.Marshal(c)
		if err == nil {
			err = json.Unmarshal(marshaled, &want)
		}
		if err == nil {
			err = json.Unmarshal(c.appendJSON(nil), &got)
		}
		gotText, _ := json.Marshal(got)
		wantText, _ := json.Marshal(want)
		if err != nil || string(gotText) != string(wantText) {
			t.Fatalf("%v\n%s\n%s\n%s", err, c.appendJSON(nil), gotText, wantText)
		}
		if n := c.estimatedSize(); n < len(c.appendJSON(nil))*3/4 {
			t.Errorf("the estimate is %d for %s", n, c.appendJSON(nil))
		}
	}
}
