begin;
select plan(3);

select move_lead('alice', '00000000-0000-7000-8000-000000000001', null, 'new', now() - interval '40 days');
select count_stages();
select make_analyst('ana');

select act_as('ana');
select results_eq(
  'select count(*), count(distinct d.day) from bi.pipeline_daily as d', $$values (41 * 6::bigint, 41::bigint)$$, '41 days of 6 stages'
);
select is((select max(d.day) from bi.pipeline_daily as d), (now() at time zone 'UTC')::date, 'the last day is today in UTC');
select results_eq(
  'select distinct d.position, d.stage collate "default" from bi.pipeline_daily as d order by d.position',
  $$values (1, 'new'), (2, 'contacted'), (3, 'qualified'), (4, 'proposal'), (5, 'won'), (6, 'lost')$$,
  'the stages in the pipeline''s order'
);

select * from finish();
rollback;
