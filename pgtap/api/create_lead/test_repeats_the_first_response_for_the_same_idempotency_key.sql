begin;
select plan(6);

select act_as('alice');
select keep('first', api.create_lead('{"email": "ada@example.com"}', 'a-key'));
select keep('second', api.create_lead('{"email": "ada@example.com"}', 'a-key'));

select is((kept('second')).status, 201, 'the status');
select is((kept('second')).body, (kept('first')).body, 'the body');
select is(
  (kept('second')).headers::jsonb,
  (kept('first')).headers::jsonb || '{"Idempotency-Replayed": "true"}',
  'the headers and Idempotency-Replayed'
);
select throws_ok(
  $$select api.create_lead('{"email": "eve@example.com"}', 'a-key')$$,
  'PT422', 'idempotency_key_reused', 'another body is refused'
);

select act_as('dba');
select is((select count(*) from app.lead), 1::bigint, 'one lead');
select is((select count(*) from audit.event as e where e.lead_id is not null), 1::bigint, 'one event');

select * from finish();
rollback;
