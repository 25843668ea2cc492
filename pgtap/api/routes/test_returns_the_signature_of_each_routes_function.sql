begin;
select plan(4);

select act_as('stranger');
select is(
  (
    select row(r.function, r.scope, r.is_read_only)::text
    from api.routes() as r
    where (r.method, r.path) = ('PATCH', '/leads/{id}')
  ),
  '(api.update_lead,write,f)',
  'PATCH /leads/{id}'
);
select is(
  (select r.arguments::jsonb from api.routes() as r where (r.method, r.path) = ('PATCH', '/leads/{id}')),
  '[
    {"name": "id", "type": "uuid", "base_type": "uuid", "default": null},
    {"name": "body", "type": "text", "base_type": "text", "default": null},
    {"name": "if_match", "type": "api.entity_tags", "base_type": "text", "default": null},
    {"name": "idempotency_key", "type": "api.idempotency_key", "base_type": "text", "default": null},
    {"name": "idempotency_wait", "type": "integer", "base_type": "integer", "default": "5000"}
  ]',
  'its arguments in order'
);
select is(
  (
    select jsonb_agg(a order by n)
    from api.routes() as r
    cross join jsonb_array_elements(r.arguments::jsonb) with ordinality as a (a, n)
    where (r.method, r.path) = ('GET', '/leads')
  ),
  '[
    {"name": "limit", "type": "api.page_size", "base_type": "integer", "default": "50"},
    {"name": "cursor", "type": "api.lead_cursor", "base_type": "text", "default": null},
    {"name": "pipeline_stage", "type": "api.any_of", "base_type": "text[]", "default": null},
    {"name": "source", "type": "api.any_of", "base_type": "text[]", "default": null},
    {"name": "email", "type": "api.any_of", "base_type": "text[]", "default": null},
    {"name": "start_at", "type": "timestamp with time zone", "base_type": "timestamp with time zone", "default": null},
    {"name": "end_at", "type": "timestamp with time zone", "base_type": "timestamp with time zone", "default": null},
    {"name": "phone", "type": "text", "base_type": "text", "default": null},
    {"name": "reference", "type": "text", "base_type": "text", "default": null},
    {"name": "updated_since", "type": "timestamp with time zone", "base_type": "timestamp with time zone", "default": null},
    {"name": "order", "type": "api.lead_order", "base_type": "text", "default": null},
    {"name": "q", "type": "api.search_text", "base_type": "text", "default": null}
  ]',
  'domains with their base types, and defaults as text'
);
select is_empty(
  $$select r.path from api.routes() as r where r.is_read_only is null or r.is_read_only <> (r.method in ('GET', 'OPTIONS'))$$,
  'each route has a function, and the functions of GET and OPTIONS are read-only'
);

select * from finish();
rollback;
