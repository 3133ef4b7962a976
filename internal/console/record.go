package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"serverless-scim/internal/console/capture"
	"serverless-scim/internal/replay/record"
)

// Record starts a recording of the traffic. It discards the previous one.
func (c *Console) Record() { c.Traffic.Recording.Start(record.NewRecorder(c.BasePath)) }

// SaveRecording saves the recording to a folder that must not exist, as a conversation without personal data, and returns
// how many requests it contains. They are 0 if there is nothing to save.
func (c *Console) SaveRecording(folder string) (requests int, err error) {
	recorder, _ := c.Traffic.Recording.State()
	if recorder == nil {
		return 0, nil
	}
	report, err := recorder.Save(folder, record.Options{})
	if errors.Is(err, record.ErrEmpty) {
		return 0, nil
	}
	return report.Steps, err
}

// recordPage is the content of the page of the recording.
type recordPage struct {
	Recording, Stopped bool
	Exchanges          int
	Report             record.Report
	Replaced           []record.Replacement
	MoreReplaced       int // replacements that the page leaves out
	Folder             string
	Message, Error     string
}

// maxShownReplacements is the number of replacements that the page shows.
const maxShownReplacements = 500

// recordPage shows the state of the recording. When it has stopped, the page lists what Save would replace.
func (c *Console) recordPage(w http.ResponseWriter, p recordPage) {
	recorder, stopped := c.Traffic.Recording.State()
	p.Recording, p.Stopped = recorder != nil && !stopped, recorder != nil && stopped
	if recorder != nil {
		p.Exchanges = recorder.Len()
	}
	if p.Stopped {
		var err error
		if p.Report, p.Replaced, err = recorder.Preview(record.Options{}); err != nil && p.Error == "" {
			p.Error = "Nothing was recorded that can be played."
		}
		if p.Folder == "" {
			p.Folder = "recordings/" + c.Now().UTC().Format("2006-01-02T150405Z")
		}
	}
	p.MoreReplaced = max(0, len(p.Replaced)-maxShownReplacements)
	p.Replaced = p.Replaced[:len(p.Replaced)-p.MoreReplaced]
	maskOriginals(p.Replaced)
	c.render(w, "record.html", page{Title: "Record", Section: "record", Content: p})
}

// maskOriginals masks the secrets in values that were recorded.
func maskOriginals(list []record.Replacement) {
	var secrets []string
	for i, r := range list {
		if r.Kind == "token" || r.Kind == "password" || strings.HasPrefix(r.Kind, "header ") {
			for _, word := range strings.Fields(r.Original) {
				secrets = append(secrets, word, capture.Masked)
			}
			list[i].Original = capture.Masked
		}
	}
	replacer := strings.NewReplacer(secrets...)
	for i := range list {
		list[i].Original = replacer.Replace(list[i].Original)
	}
}

// recordCommand starts, stops, saves or discards the recording.
func (c *Console) recordCommand(w http.ResponseWriter, r *http.Request) {
	recorder, _ := c.Traffic.Recording.State()
	switch command := r.PostFormValue("command"); {
	case command == "start":
		c.Record()
	case command == "discard":
		c.Traffic.Recording.Discard()
	case command == "stop" && recorder != nil:
		c.Traffic.Recording.Stop()
	case command == "save" && recorder != nil:
		c.recordPage(w, save(recorder, r.PostFormValue("folder"), r.PostFormValue("keep") == "yes"))
		return
	default:
		c.recordPage(w, recordPage{Error: "There is no recording. Start one."})
		return
	}
	http.Redirect(w, r, Root+"record", http.StatusSeeOther)
}

// save saves a recording, and returns what the page says about it.
func save(recorder *record.Recorder, folder string, keepPersonal bool) recordPage {
	p := recordPage{Folder: folder}
	if folder == "" {
		p.Error = "Name a folder."
		return p
	}
	report, err := recorder.Save(folder, record.Options{KeepPersonal: keepPersonal})
	if err != nil {
		p.Error = err.Error()
		return p
	}
	p.Message = fmt.Sprintf("%d requests are saved. Play them: go run ./functions/replay -url \"$BASE\" -token \"$TOKEN\" %s", report.Steps, folder)
	return p
}
