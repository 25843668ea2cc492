begin;
select plan(6);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select keep('first', api.score_lead(lead('ada@example.com'), 'a-key'));
select api.create_signals(lead('ada@example.com'), '{"type": "storm_event"}');
select keep('second', api.score_lead(lead('ada@example.com'), 'a-key'));
select is((kept('second')).body, (kept('first')).body, 'the body');
select is((kept('second')).headers ->> 'Idempotency-Replayed', 'true', 'the header Idempotency-Replayed');
select throws_ok($$select api.score_lead(null, 'k')$$, 'PT404', 'not_found', 'a malformed id');
select throws_ok(
  $$select api.create_signals('00000000-0000-7000-8000-000000000000', '{"type": "a"}', 'k')$$, 'PT404', 'not_found', 'an unknown id'
);
select is(
  (api.create_signals(lead('ada@example.com'), '{"type": "a"}', 'k')).status, 201, 'both leave the key unused'
);
select act_as('dba');
select is((select count(*) from scoring.score), 1::bigint, 'one score');

select * from finish();
rollback;
