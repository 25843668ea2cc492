// The peer with PostGraphile 5: the GraphQL API that it makes of the product's tables, with the
// Amber preset, as its documentation teaches. A policy on a setting limits each request to its
// organization (logins.sql).
//
// The argument is the port. BENCH_DATABASE is the address of the database as a URL, BENCH_CONNECTIONS
// the number of connections.

import { createServer } from "node:http";
import pg from "pg";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { SafeError } from "postgraphile/grafast";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { organizationOf } from "./keys.js";

const pool = new pg.Pool({
  connectionString: process.env.BENCH_DATABASE,
  max: Number(process.env.BENCH_CONNECTIONS),
});

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ pool, schemas: ["app", "audit"] })],
  grafserv: { graphiql: false, websockets: false },
  grafast: {
    async context(requestContext, args) {
      const organization = await organizationOf(requestContext.node?.req.headers.authorization, pool);
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
