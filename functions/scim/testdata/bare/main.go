// Command bare is the least that a Lambda function can be: what the start of the real one is measured against.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func(event map[string]any) (map[string]any, error) { return event, nil }) }
