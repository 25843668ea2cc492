begin;
select plan(9);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.create_signals(lead('ada@example.com'), '{"type": "storm_event"}');
select api.score_lead(lead('ada@example.com'));

select act_as('bob');
select throws_ok(format('select api.score_lead(%L)', lead('ada@example.com')), 'PT404', 'not_found', 'it can''t be scored');
select is(api.list_scores(lead('ada@example.com')), null, 'it has no scores');
select is(api.list_signals(lead('ada@example.com')), null, 'it has no signals');
select throws_ok(
  format('select api.create_signals(%L, ''{"type": "x"}'')', lead('ada@example.com')), 'PT404', 'not_found', 'no signal can be added'
);

select act_inside('bob');
select is_empty('select s.id from scoring.signal as s', 'none of alice''s signals is visible');
select is_empty('select s.id from scoring.score as s', 'none of alice''s scores is visible');
select throws_ok(
  format(
    'insert into scoring.signal (organization_id, lead_id, type) values (%L, %L, ''x'')',
    organization('alice'), lead('ada@example.com')
  ),
  '42501', 'new row violates row-level security policy for table "signal"', 'a signal for alice''s organization is refused'
);
select throws_ok(
  format(
    'insert into scoring.signal (organization_id, lead_id, type) values (%L, %L, ''x'')',
    organization('bob'), lead('ada@example.com')
  ),
  '23503', null, 'bob''s signal for alice''s lead is refused'
);
select act_as('alice', 'read');
select throws_ok(
  format('select api.score_lead(%L)', lead('ada@example.com')), 'PT404', null, 'a key that only reads'
);

select * from finish();
rollback;
