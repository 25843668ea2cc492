// A program that uses the client of @hey-api/openapi-ts.
import assert from "node:assert/strict";

import { createLead, createSignals, getLead, listLeads, listScores, scoreLead, updateLead } from "./generated";
import type { LeadItem } from "./generated";
import { createClient, createConfig } from "./generated/client";

async function main(baseUrl: string, key: string): Promise<void> {
  const client = createClient(createConfig({ baseUrl, auth: key }));
  const emails = [0, 1, 2, 3, 4].map((number) => `hey${number}@example.com`);
  let id = "";
  for (const email of emails) {
    const { data, error } = await createLead({
      client,
      body: { email, name: "Ada Abbott" },
      headers: { "Idempotency-Key": email },
    });
    assert(data, JSON.stringify(error));
    assert.equal(data.company, null);
    id = data.id;
  }

  const path = { id };
  const read = await getLead({ client, path });
  assert.equal(read.data?.name, "Ada Abbott");
  const tag = read.response?.headers.get("ETag") ?? "";
  const changed = await updateLead({
    client,
    path,
    headers: { "If-Match": tag },
    body: { pipeline_stage: "won", company: null },
  });
  assert.equal(changed.data?.pipeline_stage, "won");
  const late = await updateLead({ client, path, headers: { "If-Match": tag }, body: { pipeline_stage: "lost" } });
  assert.equal(late.error?.code, "precondition_failed");

  const signal = await createSignals({ client, path, body: { type: "storm_event" } });
  assert.equal(signal.response?.status, 201);
  const scored = await scoreLead({ client, path });
  assert(scored.data && scored.data.lead_score > 0);
  assert.match(scored.data.ai_reasoning, /storm/);
  const history = await listScores({ client, path });
  assert.equal(history.data?.data[0]?.contributions?.[0]?.rule, "storm_event");

  const seen: LeadItem[] = [];
  let cursor: string | undefined;
  do {
    const { data } = await listLeads({ client, query: { limit: 2, cursor, email: emails } });
    assert(data);
    seen.push(...data.data);
    cursor = data.next_cursor ?? undefined;
  } while (cursor);
  assert.deepEqual(seen.map((lead) => lead.email), emails.reverse());
}

const [baseUrl = "", key = ""] = process.argv.slice(2);
void main(baseUrl, key);
