package record_test

import (
	"testing"

	"serverless-scim/internal/replay"
	"serverless-scim/internal/replay/record"
)

// A recording of each conversation plays without a difference, with and without personal data.
func TestRecordingsOfConversationsPlay(t *testing.T) {
	t.Parallel()
	conversations, err := replay.LoadConversations("../../../events")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conversations {
		t.Run(c.Name(), func(t *testing.T) {
			t.Parallel()
			r := record.NewRecorder(basePath)
			newProvider(t, r).play(t, "", c)
			for _, o := range []record.Options{{}, {KeepPersonal: true}} {
				report, _ := saveAndPlay(t, r, o)
				if report.Steps < len(c.Steps) || report.Setup > 0 || len(report.LeftOut) > 0 {
					t.Errorf("%+v: %+v, want at least %d steps", o, report, len(c.Steps))
				}
			}
		})
	}
}
