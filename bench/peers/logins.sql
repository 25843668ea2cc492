-- The logins of the peers. They exist only in the database of the benchmark. Each peer reads and
-- writes the product's own tables: the triggers, CHECKs and indexes are the same for everyone.

-- FastAPI and Fastify: no policy, because their queries have the organization as a parameter.
create role bench_rest login bypassrls;

-- PostGraphile: a policy on a setting, as its documentation teaches.
create role bench_graphql login;

-- PostgREST: a login that takes the role of a request, and a policy on the claims of the token.
create role bench_postgrest login noinherit;
create role bench_web nologin;
grant bench_web to bench_postgrest;

grant usage on schema app, audit, auth, scoring to bench_rest, bench_graphql, bench_web;
grant select (organization_id, digest, revoked_at, expires_at) on auth.api_key to bench_rest, bench_graphql;
grant select, insert, update on app.lead to bench_rest, bench_graphql, bench_web;
grant select on audit.event to bench_rest, bench_graphql, bench_web;
-- A trigger of app.lead writes scores with the rights of the session.
grant insert on scoring.score to bench_rest, bench_graphql, bench_web;
-- CHECKs and defaults.
grant execute on all functions in schema app, scoring to bench_rest, bench_graphql, bench_web;

create policy bench_graphql on auth.api_key for select to bench_graphql using (true);
create policy bench_graphql on app.lead to bench_graphql
  using (organization_id = (select current_setting('bench.organization_id', true)::uuid));
create policy bench_graphql on audit.event for select to bench_graphql
  using (organization_id = (select current_setting('bench.organization_id', true)::uuid));
create policy bench_graphql on scoring.score for insert to bench_graphql
  with check (organization_id = (select current_setting('bench.organization_id', true)::uuid));

create policy bench_web on app.lead to bench_web
  using (organization_id = (select (current_setting('request.jwt.claims', true)::json ->> 'organization_id')::uuid));
create policy bench_web on audit.event for select to bench_web
  using (organization_id = (select (current_setting('request.jwt.claims', true)::json ->> 'organization_id')::uuid));
create policy bench_web on scoring.score for insert to bench_web
  with check (organization_id = (select (current_setting('request.jwt.claims', true)::json ->> 'organization_id')::uuid));
