// The peer with PostGraphile 5: the GraphQL API that it makes of the product's tables, with the
// Amber preset, as its documentation teaches. A policy on a setting limits each request to its
// organization (logins.sql).
//
// The argument is the port. BENCH_DATABASE is the address of the database as a URL, BENCH_CONNECTIONS
// the number of connections.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import pg from "pg";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { SafeError } from "postgraphile/grafast";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const pool = new pg.Pool({
  connectionString: process.env.BENCH_DATABASE,
  max: Number(process.env.BENCH_CONNECTIONS),
});

const KEY_MILLISECONDS = 60_000;
// The organization of each key that was seen, and when to look the key up again.
const known = new Map();

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

async function organizationOf(key) {
  const entry = known.get(key);
  if (entry && Date.now() < entry.end) return entry.organization;
  const { rows } = await pool.query({
    name: "key",
    text: `select organization_id from auth.api_key
           where digest = $1 and revoked_at is null and (expires_at is null or expires_at > now())`,
    values: [sha256(sha256(key))],
  });
  if (rows.length === 0) return null;
  known.set(key, { organization: rows[0].organization_id, end: Date.now() + KEY_MILLISECONDS });
  return rows[0].organization_id;
}

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ pool, schemas: ["app", "audit"] })],
  grafserv: { graphiql: false, websockets: false },
  grafast: {
    async context(requestContext, args) {
      const [scheme, key] = (requestContext.node?.req.headers.authorization ?? "").split(" ");
      const organization = scheme === "Bearer" && key ? await organizationOf(key) : null;
      if (organization === null) throw Object.assign(new SafeError("unauthorized"), { statusCode: 401 });
      return {
        pgSettings: {
          ...args.contextValue?.pgSettings,
          "bench.organization_id": organization,
        },
      };
    },
  },
};

const server = createServer();
const serv = postgraphile(preset).createServ(grafserv);
await serv.addTo(server);
server.listen(Number(process.argv[2]), "127.0.0.1");
