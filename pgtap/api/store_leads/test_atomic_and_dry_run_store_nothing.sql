begin;
select plan(9);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "reference": "1"}');
select keep('atomic', api.store_leads(
  '[{"email": "bea@example.com"}, {"email": "x"}, {"name": "Ada", "reference": "1"}]', 'application/json', atomic => true,
  on_duplicate => 'update', idempotency_key => 'k'
));
select results_eq(
  $$
    select r.status, r.id is not null
    from json_to_recordset((kept('atomic')).body::json -> 'results') as r (row integer, status text, id uuid)
  $$,
  $$values ('not_stored', false), ('failed', false), ('not_stored', true)$$,
  'with atomic, a fault prevents all'
);
select is((kept('atomic')).body::json ->> 'is_stored', 'false', 'the answer says so');
select keep('dry', api.store_leads(
  '[{"email": "bea@example.com", "reference": "2"}, {"name": "Bea", "reference": "2"}, {"email": "x"}]', 'application/json',
  dry_run => true, on_duplicate => 'update'
));
select results_eq(
  $$
    select r.status, r.id is not null
    from json_to_recordset((kept('dry')).body::json -> 'results') as r (row integer, status text, id uuid)
  $$,
  $$values ('created', false), ('updated', false), ('failed', false)$$,
  'dry_run says what would happen'
);
select is(
  (api.store_leads('[{"email": "bea@example.com"}, {"email": "x"}, {"name": "Ada", "reference": "1"}]', 'application/json', atomic => true,
    on_duplicate => 'update', idempotency_key => 'k')).headers::jsonb,
  '{"Idempotency-Replayed": "true"}',
  'the answer is kept'
);
select throws_ok(
  $$select api.store_leads('[{"email": "bea@example.com"}]', 'application/json', atomic => true, idempotency_key => 'k')$$,
  'PT422', 'idempotency_key_reused', 'for this request only'
);
select is(
  (api.store_leads('[{"email": "eve@example.com"}]', 'application/json', atomic => true)).body::json ->> 'is_stored',
  'true', 'without a fault, all is stored'
);

select act_as('dba');
select is((select array_agg(l.email order by l.email) from app.lead as l), '{ada@example.com,eve@example.com}', 'the leads');
select is((select l.revision from app.lead as l where l.reference = '1'), 1, 'a lead that exists');
select is((select count(*) from audit.event as e where e.lead_id is not null), 2::bigint, 'the events');

select * from finish();
rollback;
