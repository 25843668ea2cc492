// A program that uses the fetch client of orval.
import assert from "node:assert/strict";

import { createLead, createSignals, getLead, listLeads, listScores, scoreLead, updateLead } from "./generated/client";
import type { LeadItem } from "./generated/client";

async function main(key: string): Promise<void> {
  const headers = { Authorization: `Bearer ${key}` };
  const emails = [0, 1, 2, 3, 4].map((number) => `orval${number}@example.com`);
  let id = "";
  for (const email of emails) {
    const made = await createLead({ email, name: "Ada Abbott" }, { headers: { ...headers, "Idempotency-Key": email } });
    assert(made.status === 201, JSON.stringify(made.data));
    assert.equal(made.data.company, null);
    id = made.data.id;
  }

  const read = await getLead(id, { headers });
  assert(read.status === 200);
  assert.equal(read.data.name, "Ada Abbott");
  const matching = { headers: { ...headers, "If-Match": read.headers.get("ETag") ?? "" } };
  const changed = await updateLead(id, { pipeline_stage: "won", company: null }, matching);
  assert(changed.status === 200);
  assert.equal(changed.data.pipeline_stage, "won");
  const late = await updateLead(id, { pipeline_stage: "lost" }, matching);
  assert(late.status === 412);
  assert.equal(late.data.code, "precondition_failed");

  const signal = await createSignals(id, { type: "storm_event" }, { headers });
  assert.equal(signal.status, 201);
  const scored = await scoreLead(id, { headers });
  assert(scored.status === 200 && scored.data.lead_score > 0);
  assert.match(scored.data.ai_reasoning, /storm/);
  const history = await listScores(id, undefined, { headers });
  assert(history.status === 200);
  assert.equal(history.data.data[0]?.contributions?.[0]?.rule, "storm_event");

  const seen: LeadItem[] = [];
  let cursor: string | undefined;
  do {
    const page = await listLeads({ limit: 2, email: emails, ...(cursor ? { cursor } : {}) }, { headers });
    assert(page.status === 200);
    seen.push(...page.data.data);
    cursor = page.data.next_cursor ?? undefined;
  } while (cursor);
  assert.deepEqual(seen.map((lead) => lead.email), emails.reverse());
}

const [, key = ""] = process.argv.slice(2);
void main(key);
