begin;
select plan(2);

select act_as('dba');
insert into app.lead (organization_id, email, pipeline_stage, qualification_completed_at)
values (organization('alice'), 'ada@example.com', 'qualified', '2026-01-01 08:30:00+09');
select make_analyst('ana');

select act_as('ana');
select is(current_setting('timezone'), 'Asia/Tokyo', 'the session has another time zone');
select results_eq(
  $$select c.new_value from bi.lead_changes as c where c.field = 'qualification_completed_at'$$,
  array['2025-12-31T23:30:00.000Z'],
  'UTC'
);

select * from finish();
rollback;
