// Command audit is a Lambda function that copies audit lines to the audit log. CloudWatch Logs invokes it with the lines
// that the subscription filters in template.yaml select from the log groups of the other functions. The function prints
// each line, and Lambda stores what a function prints in its log group. So the copy needs no other call and no other
// permission. CloudWatch Logs and Lambda deliver lines at least once: a line can be in the audit log twice.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(event events.CloudwatchLogsEvent) error { return copyLines(os.Stdout, event) })
}

// copyLines writes the lines of an event to w, in one call. It writes nothing for a control message, with which
// CloudWatch Logs checks whether the function can be reached. After an error, Lambda repeats the event twice.
func copyLines(w io.Writer, event events.CloudwatchLogsEvent) error {
	data, err := event.AWSLogs.Parse()
	if err != nil {
		return fmt.Errorf("audit: not an event of CloudWatch Logs: %w", err)
	}
	if data.MessageType == "CONTROL_MESSAGE" {
		return nil
	}
	var lines bytes.Buffer
	for _, e := range data.LogEvents {
		lines.WriteString(withoutMetrics(strings.TrimSuffix(e.Message, "\n")) + "\n")
	}
	_, err = w.Write(lines.Bytes())
	return err
}

// withoutMetrics returns a line without the member _aws. CloudWatch would otherwise count the metrics of the line twice.
func withoutMetrics(line string) string {
	var members map[string]json.RawMessage
	if !strings.Contains(line, `"_aws":`) || json.Unmarshal([]byte(line), &members) != nil {
		return line
	}
	delete(members, "_aws")
	out, err := json.Marshal(members)
	if err != nil {
		return line
	}
	return string(out)
}
