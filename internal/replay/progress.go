package replay

import (
	"fmt"
	"io"
)

// progress draws a line on a terminal that shows how many steps are done. It draws nothing if w is nil.
type progress struct {
	w           io.Writer
	done, total int
}

// draw replaces the line. The cursor stays at its end.
func (p *progress) draw(c Conversation) {
	p.clear()
	if p.w != nil {
		fmt.Fprintf(p.w, "%d of %d steps: %.40s", p.done, p.total, c.Name())
	}
}

// clear erases the line, so that other text can be written in its place: it moves the cursor to the first column and
// erases to the end of the line (ECMA-48, EL).
func (p *progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
