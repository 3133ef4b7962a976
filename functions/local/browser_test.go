package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"

	"serverless-scim/internal/replay"
)

// browserVariable is the environment variable with the path of Chromium, and axeVariable that of the file axe.min.js of
// axe-core, which checks whether pages are accessible.
const browserVariable, axeVariable = "SCIM_TEST_BROWSER", "SCIM_TEST_AXE"

// screens is the folder of the screenshots, which README.md shows.
const screens = "../../internal/console/testdata/screens"

const maxScreenBytes = 300 << 10

// A browserTest is a browser with a page of the console.
type browserTest struct {
	*testing.T
	program *program
	page    *rod.Page
}

// newBrowserTest starts a server and a browser that has opened the address of the console.
func newBrowserTest(t *testing.T) *browserTest {
	path := os.Getenv(browserVariable)
	if path == "" || os.Getenv(axeVariable) == "" {
		t.Skipf("set %s to the path of Chromium, and %s to that of axe.min.js", browserVariable, axeVariable)
	}
	p := startProgram(t, "-db", ":memory:", "-token", "browser")
	l := launcher.New().Bin(path).NoSandbox(true).Headless(true).Set("disable-gpu")
	address, err := l.Launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Cleanup)
	t.Cleanup(l.Kill)
	browser := rod.New().ControlURL(address).MustConnect().Timeout(2 * time.Minute)
	consoleURL := ""
	for _, line := range p.announced {
		if address, ok := strings.CutPrefix(line, "Console:"); ok {
			consoleURL = strings.TrimSpace(address)
		}
	}
	b := &browserTest{t, p, browser.MustPage(consoleURL)}
	for strings.Contains(b.page.MustInfo().URL, "key=") { // the page that sets the cookie leads to another
		time.Sleep(10 * time.Millisecond)
	}
	b.page.MustElement("#rows")
	return b
}

// play plays recorded conversations against a server with the token "browser". It returns how many responses differ.
func (p *program) play(t *testing.T, folder string) int {
	t.Helper()
	conversations, err := replay.LoadConversations(folder)
	if err != nil {
		t.Fatal(err)
	}
	base, _ := strings.CutPrefix(p.announced[0], "SCIM base URL: ")
	player := replay.Player{Target: replay.HTTPTarget(http.DefaultClient, base), Token: "browser", RunSuffix: "browser"}
	differing, err := player.PlayAll(t.Context(), io.Discard, conversations)
	if err != nil {
		t.Fatal(err)
	}
	return differing
}

// open opens a page of the console.
func (b *browserTest) open(path string) {
	b.Helper()
	info := b.page.MustInfo()
	origin := info.URL[:strings.Index(info.URL, "/console/")]
	b.page.MustNavigate(origin + path).MustWaitLoad()
}

// text returns the text of the page.
func (b *browserTest) text() string { return b.page.MustElement("body").MustText() }

// requireText fails the test if the page does not contain a text.
func (b *browserTest) requireText(want ...string) {
	b.Helper()
	text := b.text()
	for _, w := range want {
		if !strings.Contains(text, w) {
			b.Errorf("the page does not contain %q:\n%.2000s", w, text)
		}
	}
}

// capture checks the screenshots of a page, wide and narrow, light and dark. With -update it writes them.
func (b *browserTest) capture(name string) {
	b.Helper()
	for _, size := range []struct {
		width, height int
	}{{1280, 900}, {400, 800}} {
		for _, theme := range []string{"light", "dark"} {
			b.page.MustSetViewport(size.width, size.height, 1, false)
			err := proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{{Name: "prefers-color-scheme", Value: theme}}}.Call(b.page)
			if err != nil {
				b.Fatal(err)
			}
			if overflow := b.page.MustEval(`() => document.documentElement.scrollWidth - document.documentElement.clientWidth`).Int(); overflow > 0 {
				b.Errorf("%s is %d pixels too wide for %d", name, overflow, size.width)
			}
			b.checkAccessibility(name + ", " + theme)
			b.write(fmt.Sprintf("%s-%d-%s.png", name, size.width, theme))
		}
	}
	b.page.MustSetViewport(1280, 900, 1, false)
}

// checkAccessibility reports the serious violations that axe-core finds.
func (b *browserTest) checkAccessibility(name string) {
	b.Helper()
	axe, err := os.ReadFile(os.Getenv(axeVariable))
	if err != nil {
		b.Fatal(err)
	}
	b.page.MustEval(`(source) => { (0, eval)(source) }`, string(axe))
	found := b.page.MustEval(`async () => {
		const result = await axe.run(document, { resultTypes: ["violations"] });
		return result.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
			.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120) + " " + (n.any[0]?.message ?? "")).join(" | ")).join("\n");
	}`).Str()
	if found != "" {
		b.Errorf("%s: %s", name, found)
	}
}

func (b *browserTest) write(file string) {
	b.Helper()
	image := b.page.MustScreenshot()
	if _, err := png.Decode(bytes.NewReader(image)); err != nil || len(image) > maxScreenBytes {
		b.Errorf("%s has %d bytes, %v", file, len(image), err)
	}
	if !*update {
		return
	}
	err := os.MkdirAll(screens, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(screens, file), image, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// createUserInGroup creates a user in a group, and returns the user's ID.
func (b *browserTest) createUserInGroup() string {
	b.Helper()
	var created struct{ ID string }
	if err := json.Unmarshal([]byte(b.program.send(b.T, "POST", "/Users", `{"userName":"grace@example.com","name":{"givenName":"Grace"}}`)), &created); err != nil {
		b.Fatal(err)
	}
	b.program.send(b.T, "POST", "/Groups", `{"displayName":"Compilers","members":[{"value":"`+created.ID+`"}]}`)
	return created.ID
}

// saveRecording stops the recording, saves it, and plays it.
func (b *browserTest) saveRecording() {
	b.Helper()
	folder := filepath.Join(b.TempDir(), "recording")
	b.open("/console/record")
	b.page.MustElementR("button", "Stop").MustClick()
	b.page.MustElementR("h2", "What is replaced")
	b.capture("record")
	b.page.MustElement(`input[name="folder"]`).MustSelectAllText().MustInput(folder)
	b.page.MustElementR("button", "Save").MustClick()
	b.page.MustElementR("p", "requests are saved")
	if differing := b.program.play(b.T, folder); differing != 0 {
		b.Errorf("%d responses differ from those of the recording", differing)
	}
}

// An engineer who has only the address of the console sees what Okta's recorded traffic does, live.
func TestConsoleInBrowser(t *testing.T) {
	t.Parallel()
	b := newBrowserTest(t)
	b.open("/console/record")
	b.page.MustElementR("button", "Start").MustClick()
	b.page.MustElementR("button", "Stop")
	b.open("/console/")
	if differing := b.program.play(t, "../../events/okta"); differing != 0 {
		t.Errorf("%d responses differ", differing)
	}
	b.page.MustWait(`() => document.querySelectorAll("#rows tr").length > 90`) // the list has filled without a reload
	if strings.Contains(b.text(), "favicon") {
		t.Error("the pages themselves cause traffic")
	}
	b.page.MustElementR("#counts", `Okta.*2xx.*4xx`)
	b.capture("traffic")

	b.page.MustElement("#class").MustSelect("4xx")
	b.page.MustWait(`() => [...document.querySelectorAll("#rows tr")].every((row) => row.hidden || row.dataset.class === "s4")`)
	b.page.MustElementR("#rows td.status", "^409$").MustParent().MustElement("a").MustClick()
	b.page.MustElementR("p", "has this (userName|displayName)")
	b.page.MustElement("#back").MustClick()
	b.page.MustElement("#class").MustSelect("all")
	b.page.MustElement("#method").MustSelect("PATCH")
	b.page.MustElement(`#rows tr[data-method="PATCH"]:not([hidden]) a`).MustClick()
	b.page.MustElement("#request")
	b.requireText("Operations", "Items written", "Transaction", "What GET /Changes tells")
	b.capture("exchange")

	b.page.MustElementR("summary", "Send again").MustClick()
	b.page.MustElementR("button", "^Send$").MustClick()
	b.page.MustElementR("h1", "^Sent again$")
	b.capture("repeat")

	b.saveRecording()

	base := strings.TrimPrefix(b.program.announced[0], "SCIM base URL: ")
	user := b.createUserInGroup()
	b.open("/console/changes")
	b.page.MustElementR("body", "grace@example.com.* joined")
	b.capture("changes")
	b.open("/console/directory")
	b.page.MustElementR("a", "grace@example.com").MustClick()
	b.page.MustElementR("h2", "Groups")
	b.requireText("grace@example.com", "Compilers", "created", "joined")
	b.capture("resource")
	b.page.MustElementR("a", "Compilers").MustClick()
	b.page.MustElementR("h1", "Compilers|Group")
	b.page.MustElementR("#owned ~ table", "edge of a member")
	b.requireText("grace@example.com")
	b.open("/console/items?pk=" + url.QueryEscape("default#User#"+user))
	b.requireText("head", "grace@example.com")
	b.capture("items")

	b.open("/console/faults")
	b.page.MustElement(`select[name="action"]`).MustSelect("answer 429 with Retry-After")
	b.page.MustElementR("button", "^Add$").MustClick()
	b.page.MustElement(".banner")
	b.requireText("1 fault is active")
	b.capture("faults")
	resp, err := http.Get(base + "/Users")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "5" {
		t.Errorf("the fault gives %d %v", resp.StatusCode, resp.Header)
	}

	b.open("/console/operate")
	b.requireText("Tenant default", "given")
	b.page.MustElementR("summary", "More commands").MustClick()
	b.capture("operate")

	b.page.MustElement("#mask").MustClick()
	if !b.page.MustElement("body.masked").MustVisible() {
		t.Error("personal data is not masked")
	}
}
