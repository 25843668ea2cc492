begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select keep('first', api.score_lead(lead('ada@example.com'), 'a-key'));
select api.create_signals(lead('ada@example.com'), '{"type": "storm_event"}');
select keep('second', api.score_lead(lead('ada@example.com'), 'a-key'));
select is((kept('second')).body, (kept('first')).body, 'the body');
select is((kept('second')).headers ->> 'Idempotency-Replayed', 'true', 'says so');
select is(api.score_lead(null, 'another-key'), null, 'a malformed id is no lead');
select act_as('dba');
select is((select count(*) from scoring.score), 1::bigint, 'one score');

select * from finish();
rollback;
