begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select act_as('operator');
select is(
  admin.load_signals(organization('alice'), jsonb_build_array(
    jsonb_build_object('lead_id', lead('ada@example.com'), 'type', 'a', 'observed_at', '2026-01-01T00:00:00Z')
  )),
  1, 'the number of signals'
);
select act_as('dba');
select results_eq(
  'select s.type, s.value, s.observed_at from scoring.signal as s',
  $$values ('a', 'true'::jsonb, '2026-01-01 00:00:00+00'::timestamptz(3))$$, 'the values are unchanged'
);

select * from finish();
rollback;
