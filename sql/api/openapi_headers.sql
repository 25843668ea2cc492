-- api.openapi_headers - the response headers that the OpenAPI document describes.
set local role leads_exec;

create or replace function api.openapi_headers()
returns text language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with known (name, description) as (
    values
      ('X-Request-Id', 'The id of the request: yours, or one that the server generated. It is also in the audit log and in the server''s log.'),
      ('ETag', 'The entity tag of the record (RFC 9110, section 8.8.3). Every change gives the record another tag.'),
      ('Location', 'The address of the new record.'),
      ('Leads-Position', 'Send it with a read, and the response is not older than this write. Sent if the server has replicas.'),
      ('Link', 'The address of the next page, with rel="next" (RFC 8288). The last page has no Link.'),
      ('Content-Disposition', 'attachment, with the name of a file.'),
      ('RateLimit', 'How many requests are left, r=, and how many seconds until there is one more, t=. Sent with each response to a valid key, if the server limits the rate.'),
      ('RateLimit-Policy', 'The limit: q= requests in w= seconds. Sent with RateLimit.'),
      ('Retry-After', 'How many seconds to wait before you send the request again.'),
      ('Server-Timing', 'How long the database took, db;dur= in milliseconds, and wait;dur= if the request waited for a connection.'),
      ('Idempotency-Replayed', 'true if this is the first response again.'),
      ('WWW-Authenticate', 'Always Bearer.')
  ),
  header as (
    select coalesce(k.name, h.name) as name, k.description
    from known as k
    full join (
      select distinct n.name from api.operations() as o cross join lateral unnest(o.headers) as n (name)
    ) as h on h.name = k.name
  )
  select
    '{' || string_agg(
      api.json_text(h.name)
      || ':' || api.object_text('description', api.json_text(h.description), 'schema', '{"type":"string"}'),
      ',' order by h.name
    ) || '}'
  from header as h;
end;

comment on function api.openapi_headers() is
  'The shared headers, as JSON text: those that the server sends, and those of the documentation of an operation.';
