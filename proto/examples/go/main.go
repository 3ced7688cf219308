// Signs in, lists the apps of a workspace, and runs one over gRPC.
//
//	cd proto/examples/go
//	buf generate
//	go mod tidy
//	go run . http://127.0.0.1:5001 Parrot "it streams"
//
// The token is read from DIFY_TOKEN. Without it the program signs in through the browser.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	dify "example.com/run-app/gen/dify/openapi/v1"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: run-app URL APP QUERY")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, describe(err))
		os.Exit(1)
	}
}

func run(ctx context.Context, address, name, query string) error {
	conn, err := connect(address)
	if err != nil {
		return err
	}
	defer conn.Close()

	token := os.Getenv("DIFY_TOKEN")
	if token == "" {
		if token, err = signIn(ctx, dify.NewDeviceFlowServiceClient(conn)); err != nil {
			return err
		}
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)

	account, err := dify.NewIdentityServiceClient(conn).GetAccount(ctx, &dify.GetAccountRequest{})
	if err != nil {
		return err
	}
	fmt.Println("Signed in as", account.GetSubjectEmail())

	apps := dify.NewAppServiceClient(conn)
	list, err := apps.ListApps(ctx, &dify.ListAppsRequest{WorkspaceId: account.DefaultWorkspaceId})
	if err != nil {
		return err
	}
	for _, app := range list.GetData() {
		fmt.Printf("%s: %s\n", app.GetMode(), app.GetName())
	}

	described, err := apps.DescribeApp(ctx, &dify.DescribeAppRequest{Id: name, WorkspaceId: account.DefaultWorkspaceId})
	if err != nil {
		return err
	}
	stream, err := apps.RunApp(ctx, &dify.RunAppRequest{
		Id:     described.GetInfo().GetId(),
		Inputs: &structpb.Struct{},
		Query:  &query,
	})
	if err != nil {
		return err
	}
	return printText(stream)
}

func connect(address string) (*grpc.ClientConn, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	// grpc.NewClient and insecure.NewCredentials in newer versions of the module.
	security := grpc.WithInsecure()
	if target.Scheme == "https" {
		security = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{}))
	}
	return grpc.Dial(target.Host, security)
}

// signIn prints a code, and returns the token once the person has approved it in the browser (RFC 8628).
func signIn(ctx context.Context, devices dify.DeviceFlowServiceClient) (string, error) {
	label := "the Go example"
	codes, err := devices.CreateDeviceCode(ctx, &dify.CreateDeviceCodeRequest{ClientId: "difyctl", DeviceLabel: &label})
	if err != nil {
		return "", err
	}
	fmt.Printf("Open %s and enter %s\n", codes.GetVerificationUri(), codes.GetUserCode())
	interval := time.Duration(codes.GetInterval()) * time.Second
	for {
		time.Sleep(interval)
		token, err := devices.PollDeviceToken(ctx, &dify.PollDeviceTokenRequest{
			ClientId:   "difyctl",
			DeviceCode: codes.GetDeviceCode(),
		})
		if err == nil {
			return token.GetToken(), nil
		}
		switch errorInfo(err).GetReason() {
		case "AUTHORIZATION_PENDING":
		case "SLOW_DOWN":
			interval += 5 * time.Second
		default:
			return "", err
		}
	}
}

// printText prints the text of a run as it arrives: the answer of a chat, or the text of a workflow.
func printText(stream dify.AppService_RunAppClient) error {
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			fmt.Println()
			return nil
		}
		if err != nil {
			return err
		}
		switch event := response.GetTyped().GetEvent().(type) {
		case *dify.RunEvent_Message:
			fmt.Print(event.Message.GetAnswer())
		case *dify.RunEvent_AgentMessage:
			fmt.Print(event.AgentMessage.GetAnswer())
		case *dify.RunEvent_TextChunk:
			fmt.Print(event.TextChunk.GetText())
		case *dify.RunEvent_Error:
			return fmt.Errorf("the run failed: %s", event.Error.GetMessage())
		}
	}
}

// errorInfo returns the detail of an error that names its reason; nil when it has none.
func errorInfo(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

// describe returns an error as one line, with its reason and its hint.
func describe(err error) string {
	info := errorInfo(err)
	if info == nil {
		return err.Error()
	}
	return fmt.Sprintf("%s: %s %s", info.GetReason(), status.Convert(err).Message(), info.GetMetadata()["hint"])
}
