begin;
select plan(2);

select move_lead('alice', m.lead_id::uuid, m.stage_left, m.stage_entered, m.at)
from (values
  ('00000000-0000-7000-8000-000000000001', null, 'new', '2026-03-01 10:00Z'::timestamptz),
  ('00000000-0000-7000-8000-000000000002', null, 'new', '2026-03-01 11:00Z'),
  ('00000000-0000-7000-8000-000000000001', 'new', 'won', '2026-03-03 09:00Z'),
  -- Enters and leaves on the same day.
  ('00000000-0000-7000-8000-000000000002', 'new', 'lost', '2026-03-03 10:00Z'),
  ('00000000-0000-7000-8000-000000000002', 'lost', 'new', '2026-03-03 11:00Z')
) as m (lead_id, stage_left, stage_entered, at);
select move_lead('bob', '00000000-0000-7000-8000-000000000003', null, 'new', '2026-03-01 10:00Z');
select count_stages();
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$
    select d.day, d.stage collate "default", d.entered, d.departed, d.lead_count
    from bi.pipeline_daily as d
    where d.day between '2026-03-01' and '2026-03-03' and d.stage in ('new', 'won', 'lost')
    order by d.day, d.position
  $$,
  $$
    values
      ('2026-03-01'::date, 'new', 2::bigint, 0::bigint, 2::bigint),
      ('2026-03-01', 'won', 0, 0, 0),
      ('2026-03-01', 'lost', 0, 0, 0),
      ('2026-03-02', 'new', 0, 0, 2),
      ('2026-03-02', 'won', 0, 0, 0),
      ('2026-03-02', 'lost', 0, 0, 0),
      ('2026-03-03', 'new', 1, 2, 1),
      ('2026-03-03', 'won', 1, 0, 1),
      ('2026-03-03', 'lost', 1, 1, 0)
  $$,
  'only alice''s leads'
);
select results_eq(
  $$select d.stage collate "default", d.lead_count from bi.pipeline_daily as d where d.lead_count > 0 and d.day = (now() at time zone 'UTC')::date order by d.position$$,
  $$values ('new', 1::bigint), ('won', 1)$$,
  'the leads are in the stage today'
);

select * from finish();
rollback;
