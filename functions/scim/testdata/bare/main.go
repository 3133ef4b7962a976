// Command bare is a minimal Lambda function, to compare its start with that of the function scim.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func(event map[string]any) (map[string]any, error) { return event, nil }) }
