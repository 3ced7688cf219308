// Signs in, lists the apps of a workspace, and runs one over gRPC.
//
//     cd proto/examples/typescript
//     npm install && npm run generate && npm run build
//     npm start -- http://127.0.0.1:5001 Parrot "it streams"
//
// The token is read from DIFY_TOKEN. Without it the program signs in through the browser.

import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { AppService, type RunAppResponse } from "./gen/dify/openapi/v1/app_pb.js";
import { DeviceFlowService } from "./gen/dify/openapi/v1/device_flow_pb.js";
import { IdentityService } from "./gen/dify/openapi/v1/identity_pb.js";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";

/** Prints a code, and returns the token once the person has approved it in the browser (RFC 8628). */
async function signIn(transport: Transport): Promise<string> {
  const devices = createClient(DeviceFlowService, transport);
  const codes = await devices.createDeviceCode({ clientId: "difyctl", deviceLabel: "the TypeScript example" });
  console.log(`Open ${codes.verificationUri} and enter ${codes.userCode}`);
  let seconds = Number(codes.interval);
  for (;;) {
    await sleep(seconds * 1000);
    try {
      return (await devices.pollDeviceToken({ clientId: "difyctl", deviceCode: codes.deviceCode })).token;
    } catch (error) {
      const reason = errorInfo(ConnectError.from(error))?.reason;
      if (reason === "SLOW_DOWN") seconds += 5;
      else if (reason !== "AUTHORIZATION_PENDING") throw error;
    }
  }
}

/** The text that an event adds to the answer of a chat, or to that of a workflow. */
function textOf({ typed }: RunAppResponse): string {
  const event = typed?.event;
  switch (event?.case) {
    case "message":
    case "agentMessage":
      return event.value.answer;
    case "textChunk":
      return event.value.text;
    case "error":
      throw new Error(`The run failed: ${event.value.message}`);
    default:
      return "";
  }
}

/** The detail of an error that names its reason, with a hint for people. */
function errorInfo(error: ConnectError) {
  return error.findDetails(ErrorInfoSchema)[0];
}

async function runApp(baseUrl: string, name: string, query: string): Promise<void> {
  const token = process.env["DIFY_TOKEN"] || (await signIn(createGrpcTransport({ baseUrl })));
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = createGrpcTransport({ baseUrl, interceptors: [authorize] });

  const account = await createClient(IdentityService, transport).getAccount({});
  const workspaceId = account.defaultWorkspaceId;
  console.log("Signed in as", account.subjectEmail);

  const apps = createClient(AppService, transport);
  for (const app of (await apps.listApps({ workspaceId })).data) {
    console.log(`${app.mode}: ${app.name}`);
  }

  const { info } = await apps.describeApp({ id: name, workspaceId });
  for await (const event of apps.runApp({ id: info?.id, inputs: {}, query })) {
    process.stdout.write(textOf(event));
  }
  console.log();
}

const [url, name, query] = process.argv.slice(2);
if (url === undefined || name === undefined || query === undefined) {
  console.error("usage: run_app URL APP QUERY");
  process.exit(2);
}
try {
  await runApp(url, name, query);
} catch (error) {
  const info = error instanceof ConnectError ? errorInfo(error) : undefined;
  if (error instanceof ConnectError && info) {
    console.error(`${info.reason}: ${error.rawMessage} ${info.metadata["hint"] ?? ""}`.trimEnd());
  } else {
    console.error(error instanceof Error ? error.message : error);
  }
  process.exitCode = 1;
}
