// A program that uses the types of openapi-typescript with openapi-fetch.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";

import type { components, paths } from "./generated/schema";

type LeadItem = components["schemas"]["LeadItem"];

async function main(baseUrl: string, key: string): Promise<void> {
  // openapi-fetch does not read "explode": false from the document. It repeats the parameter.
  const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
  const emails = [0, 1, 2, 3, 4].map((number) => `fetch${number}@example.com`);
  let id = "";
  for (const email of emails) {
    const { data, error } = await client.POST("/leads", {
      body: { email, name: "Ada Abbott" },
      params: { header: { "Idempotency-Key": email } },
    });
    assert(data, JSON.stringify(error));
    assert.equal(data.company, null);
    id = data.id;
  }

  const path = { id };
  const read = await client.GET("/leads/{id}", { params: { path } });
  assert.equal(read.data?.name, "Ada Abbott");
  const tag = read.response.headers.get("ETag") ?? "";
  const changed = await client.PATCH("/leads/{id}", {
    params: { path, header: { "If-Match": tag } },
    body: { pipeline_stage: "won", company: null },
  });
  assert.equal(changed.data?.pipeline_stage, "won");
  const late = await client.PATCH("/leads/{id}", {
    params: { path, header: { "If-Match": tag } },
    body: { pipeline_stage: "lost" },
  });
  assert.equal(late.error?.code, "precondition_failed");

  const signal = await client.POST("/leads/{id}/signals", { params: { path }, body: { type: "storm_event" } });
  assert.equal(signal.response.status, 201);
  const scored = await client.POST("/leads/{id}/score", { params: { path } });
  assert(scored.data && scored.data.lead_score > 0);
  assert.match(scored.data.ai_reasoning, /storm/);
  const history = await client.GET("/leads/{id}/scores", { params: { path } });
  assert.equal(history.data?.data[0]?.contributions?.[0]?.rule, "storm_event");

  const seen: LeadItem[] = [];
  let cursor: string | undefined;
  do {
    const { data, error } = await client.GET("/leads", { params: { query: { limit: 2, cursor, email: emails } } });
    assert(data, JSON.stringify(error));
    seen.push(...data.data);
    cursor = data.next_cursor ?? undefined;
  } while (cursor);
  assert.deepEqual(seen.map((lead) => lead.email), emails.reverse());
}

const [baseUrl = "", key = ""] = process.argv.slice(2);
void main(baseUrl, key);
