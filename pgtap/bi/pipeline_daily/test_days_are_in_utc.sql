begin;
select plan(2);

select move_lead('alice', '00000000-0000-7000-8000-000000000001', null, 'new', '2026-03-01 23:59:59.999Z');
select move_lead('alice', '00000000-0000-7000-8000-000000000002', null, 'new', '2026-03-02 00:00Z');
select make_analyst('ana');

select act_as('ana');
select is(current_setting('timezone'), 'Asia/Tokyo', 'the session has another time zone');
select results_eq(
  $$select d.day, d.entered from bi.pipeline_daily as d where d.entered > 0 order by d.day$$,
  $$values ('2026-03-01'::date, 1::bigint), ('2026-03-02', 1)$$,
  'a day starts at midnight in UTC'
);

select * from finish();
rollback;
