// Runs an app with openapi-fetch and the types that openapi-typescript generated.
//
// Arguments: the server's URL, an app's name and a query. The token is in DIFY_TOKEN.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type ApiError = components["schemas"]["Error"];

const [baseUrl, name, query] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${process.env["DIFY_TOKEN"]}` } });

/** The data of a response. Its error ends the program. */
function checked<T>(response: { data?: T; error?: ApiError }): T {
  const { data, error } = response;
  if (data !== undefined) return data;
  console.error(`${error?.code}: ${error?.message} ${error?.hint}`);
  process.exit(1);
}

const account = checked(await client.GET("/openapi/v1/account"));
console.log("Signed in as", account.subject_email);

const workspace_id = account.default_workspace_id ?? "";
const list = checked(await client.GET("/openapi/v1/apps", { params: { query: { workspace_id } } }));
for (const app of list.data) console.log(`${app.mode}: ${app.name}`);

const described = checked(
  await client.GET("/openapi/v1/apps/{id}/describe", { params: { path: { id: name }, query: { workspace_id } } }),
);
const run = checked(
  await client.POST("/openapi/v1/apps/{id}/run", {
    params: { path: { id: described.info?.id ?? "" } },
    body: { inputs: {}, query, response_mode: "blocking" },
  }),
);
if (!("answer" in run)) throw new Error("the run of a chat returns a message");
console.log(run.answer);
