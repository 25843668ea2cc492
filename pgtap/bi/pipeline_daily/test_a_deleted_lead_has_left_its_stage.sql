begin;
select plan(1);

select move_lead('alice', '00000000-0000-7000-8000-000000000001', null, 'new', '2026-03-01 10:00Z');
select move_lead('alice', '00000000-0000-7000-8000-000000000001', 'new', null, '2026-03-02 10:00Z');
select count_stages();
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$select d.departed, d.lead_count from bi.pipeline_daily as d where d.stage = 'new' and d.day < '2026-03-03' order by d.day$$,
  $$values (0::bigint, 1::bigint), (1, 0)$$,
  'on the day of the deletion'
);

select * from finish();
rollback;
