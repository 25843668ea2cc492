begin;
select plan(1);

select move_lead('alice', m.lead_id::uuid, m.stage_left, m.stage_entered, m.at)
from (values
  ('00000000-0000-7000-8000-000000000001', null, 'on-hold', '2026-03-01 10:00Z'::timestamptz),
  ('00000000-0000-7000-8000-000000000001', 'on-hold', 'won', '2026-03-02 10:00Z')
) as m (lead_id, stage_left, stage_entered, at);
select count_stages();
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$
    select d.day, d.position, d.entered, d.departed, d.lead_count
    from bi.pipeline_daily as d
    where d.stage = 'on-hold' and d.day < '2026-03-04'
    order by d.day
  $$,
  $$
    values
      ('2026-03-01'::date, null::integer, 1::bigint, 0::bigint, 1::bigint),
      ('2026-03-02', null, 0, 1, 0),
      ('2026-03-03', null, 0, 0, 0)
  $$,
  'the stage has no position'
);

select * from finish();
rollback;
