begin;
select plan(9);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select api.create_signals(lead('ada@example.com'), '{"type": "storm_event"}');
select api.score_lead(lead('ada@example.com'));

select act_as('bob');
select throws_ok(format('select api.score_lead(%L)', lead('ada@example.com')), 'PT404', 'not_found', 'nothing to score');
select is(api.list_scores(lead('ada@example.com')), null, 'no history');
select is(api.list_signals(lead('ada@example.com')), null, 'no signals');
select throws_ok(
  format('select api.create_signals(%L, ''{"type": "x"}'')', lead('ada@example.com')), 'PT404', 'not_found', 'and none to add'
);

select act_inside('bob');
select is_empty('select s.id from scoring.signal as s', 'no row of hers');
select is_empty('select s.id from scoring.score as s', 'no score of hers');
select throws_ok(
  format(
    'insert into scoring.signal (organization_id, lead_id, type) values (%L, %L, ''x'')',
    organization('alice'), lead('ada@example.com')
  ),
  '42501', 'new row violates row-level security policy for table "signal"', 'nor makes one for her'
);
select throws_ok(
  format(
    'insert into scoring.signal (organization_id, lead_id, type) values (%L, %L, ''x'')',
    organization('bob'), lead('ada@example.com')
  ),
  '23503', null, 'nor hangs his own on her lead'
);
select act_as('alice', 'read');
select throws_ok(
  format('select api.score_lead(%L)', lead('ada@example.com')), 'PT404', null, 'a key that only reads doesn''t score'
);

select * from finish();
rollback;
