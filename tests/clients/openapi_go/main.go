// Runs an app with a client that openapi-generator generated as the package difyapi.
//
// Arguments: the server's URL, an app's name and a query. The token is in DIFY_TOKEN.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"difyapi"
)

func main() {
	err := run(os.Args[1], os.Args[2], os.Args[3])
	var failed *difyapi.GenericOpenAPIError
	if errors.As(err, &failed) {
		if body, ok := failed.Model().(difyapi.Error); ok {
			err = fmt.Errorf("%s: %s %s", body.GetCode(), body.GetMessage(), body.GetHint())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(url, name, query string) error {
	configuration := difyapi.NewConfiguration()
	configuration.Servers = difyapi.ServerConfigurations{{URL: url}}
	client := difyapi.NewAPIClient(configuration)
	ctx := context.WithValue(context.Background(), difyapi.ContextAccessToken, os.Getenv("DIFY_TOKEN"))

	account, _, err := client.IdentityAPI.IdentityServiceGetAccount(ctx).Execute()
	if err != nil {
		return err
	}
	fmt.Println("Signed in as", account.GetSubjectEmail())

	workspace := account.GetDefaultWorkspaceId()
	list, _, err := client.AppAPI.AppServiceListApps(ctx).WorkspaceId(workspace).Execute()
	if err != nil {
		return err
	}
	for _, app := range list.GetData() {
		fmt.Printf("%s: %s\n", app.GetMode(), app.GetName())
	}

	described, _, err := client.AppAPI.AppServiceDescribeApp(ctx, name).WorkspaceId(workspace).Execute()
	if err != nil {
		return err
	}
	info := described.GetInfo()
	request := difyapi.NewRunAppRequest(map[string]interface{}{})
	request.SetQuery(query)
	request.SetResponseMode("blocking")
	result, _, err := client.AppAPI.AppServiceRunApp(ctx, info.GetId()).RunAppRequest(*request).Execute()
	if err != nil {
		return err
	}
	if result.MessageRun == nil {
		return errors.New("the run of a chat returns a message")
	}
	fmt.Println(result.MessageRun.GetAnswer())
	return nil
}
