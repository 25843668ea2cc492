// The peer with Fastify and pg: six operations on the product's tables, as the documentation of the
// two teaches. Named statements are prepared once for each connection, and the schemas of the
// responses make the functions that write JSON.
//
// The argument is the port. BENCH_DATABASE is the address of the database as a URL, BENCH_CONNECTIONS
// the number of connections.

import Fastify from "fastify";
import pg from "pg";
import { organizationOf } from "./keys.js";

const pool = new pg.Pool({
  connectionString: process.env.BENCH_DATABASE,
  max: Number(process.env.BENCH_CONNECTIONS),
});
const app = Fastify();

const text = { type: ["string", "null"] };
const id = { type: "string", format: "uuid" };
const instant = { type: "string", format: "date-time" };

const change = {
  id,
  organization_id: id,
  name: text,
  company: text,
  email: text,
  source: text,
  lead_score: { type: "integer" },
  pipeline_stage: { type: "string" },
  updated_at: instant,
};
const item = { ...change, industry: text, company_size: text, created_at: instant };
const lead = {
  ...item,
  pain_points: text,
  timeline: text,
  budget_range: text,
  ai_reasoning: text,
  qualification_completed_at: { ...instant, nullable: true },
};
const event = {
  id,
  organization_id: id,
  action: { type: "string" },
  source: { type: "string" },
  correlation_id: text,
  payload: { type: "object", additionalProperties: true },
  created_at: instant,
};

const columns = (properties) => Object.keys(properties).join(", ");
const object = (properties) => ({ type: "object", properties });
const page = (properties) =>
  object({ data: { type: "array", items: object(properties) }, next_cursor: text });

const short = { type: ["string", "null"], minLength: 1, maxLength: 128 };
const name = { type: ["string", "null"], minLength: 1, maxLength: 255 };
const long = { type: ["string", "null"], minLength: 1, maxLength: 10000 };
const input = {
  type: "object",
  additionalProperties: false,
  minProperties: 1,
  properties: {
    name,
    company: name,
    email: { type: ["string", "null"], format: "email", maxLength: 254 },
    source: { type: ["string", "null"], pattern: "^[a-z0-9][a-z0-9_-]{0,63}$" },
    lead_score: { type: "integer", minimum: 0, maximum: 100 },
    pipeline_stage: { type: "string", minLength: 1, maxLength: 64 },
    industry: short,
    company_size: short,
    pain_points: long,
    timeline: short,
    budget_range: short,
    ai_reasoning: long,
  },
};
const paging = {
  limit: { type: "integer", minimum: 1, maximum: 200, default: 50 },
  cursor: { type: "string", maxLength: 200 },
};

app.decorateRequest("organization", null);
app.addHook("onRequest", async (request, reply) => {
  request.organization = await organizationOf(request.headers.authorization, pool);
  if (request.organization === null) return reply.code(401).send({ message: "unauthorized" });
});

app.setErrorHandler((error, request, reply) => {
  // A value that the database refuses (class 23) is the client's mistake.
  if (/^23/.test(error.code)) return reply.code(422).send({ message: error.message });
  return reply.send(error);
});

const encodeCursor = (row) =>
  Buffer.from(JSON.stringify([row.created_at, row.id])).toString("base64url");

function decodeCursor(cursor) {
  if (cursor === undefined) return ["infinity", "ffffffff-ffff-ffff-ffff-ffffffffffff"];
  try {
    return JSON.parse(Buffer.from(cursor, "base64url"));
  } catch {
    throw Object.assign(new Error("invalid cursor"), { statusCode: 422 });
  }
}

function pageOf(rows, limit) {
  const data = rows.slice(0, limit);
  return { data, next_cursor: rows.length > limit ? encodeCursor(data[limit - 1]) : null };
}

app.get(
  "/api/v1/leads/:id",
  { schema: { params: object({ id }), response: { 200: object(lead) } } },
  async (request, reply) => {
    const { rows } = await pool.query({
      name: "get-lead",
      text: `select ${columns(lead)} from app.lead where organization_id = $1 and id = $2`,
      values: [request.organization, request.params.id],
    });
    return rows[0] ?? reply.code(404).send({ message: "not found" });
  },
);

// Each filter has its own index, which starts with the organization.
const filters = {
  "": "true",
  stage: "pipeline_stage = $5",
  source: "source = $5",
  "stage-source": "pipeline_stage_and_source = $5",
};

app.get(
  "/api/v1/leads",
  {
    schema: {
      querystring: object({
        ...paging,
        pipeline_stage: { type: "string", maxLength: 64 },
        source: { type: "string", maxLength: 64 },
      }),
      response: { 200: page(item) },
    },
  },
  async (request) => {
    const { limit, cursor, pipeline_stage, source } = request.query;
    const filter = [pipeline_stage && "stage", source && "source"].filter(Boolean).join("-");
    const value = [pipeline_stage, source].filter(Boolean).join("/");
    const { rows } = await pool.query({
      name: `list-leads-${filter}`,
      text: `select ${columns(item)} from app.lead
             where organization_id = $1 and (created_at, id) < ($2, $3) and ${filters[filter]}
             order by created_at desc, id desc limit $4`,
      values: [request.organization, ...decodeCursor(cursor), limit + 1, ...(value ? [value] : [])],
    });
    return pageOf(rows, limit);
  },
);

app.post(
  "/api/v1/leads",
  { schema: { body: input, response: { 201: object(item) } } },
  async (request, reply) => {
    const names = Object.keys(request.body);
    const { rows } = await pool.query({
      name: `create-lead-${names}`,
      text: `insert into app.lead (organization_id, ${names.join(", ")})
             values ($1, ${names.map((_, index) => `$${index + 2}`).join(", ")})
             returning ${columns(item)}`,
      values: [request.organization, ...Object.values(request.body)],
    });
    return reply.code(201).send(rows[0]);
  },
);

app.patch(
  "/api/v1/leads/:id",
  { schema: { params: object({ id }), body: input, response: { 200: object(change) } } },
  async (request, reply) => {
    const names = Object.keys(request.body);
    const { rows } = await pool.query({
      name: `update-lead-${names}`,
      text: `update app.lead set ${names.map((name, index) => `${name} = $${index + 3}`).join(", ")}
             where organization_id = $1 and id = $2
             returning ${columns(change)}`,
      values: [request.organization, request.params.id, ...Object.values(request.body)],
    });
    return rows[0] ?? reply.code(404).send({ message: "not found" });
  },
);

app.get(
  "/api/v1/audit-log",
  { schema: { querystring: object(paging), response: { 200: page(event) } } },
  async (request) => {
    const { limit, cursor } = request.query;
    const { rows } = await pool.query({
      name: "list-events",
      text: `select ${columns(event)} from audit.event
             where organization_id = $1 and (created_at, id) < ($2, $3)
             order by created_at desc, id desc limit $4`,
      values: [request.organization, ...decodeCursor(cursor), limit + 1],
    });
    return pageOf(rows, limit);
  },
);

await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
