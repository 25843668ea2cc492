begin;
select plan(6);

select act_as('operator');
select admin.set_organization(organization('alice'), time_zone => 'Europe/Berlin');
-- On 29 March, Berlin's day has 23 hours: from 23:00 to 22:00 UTC. On 25 October it has 25.
select move_lead('alice', gen_random_uuid(), null, m.stage, m.at)
from (values
  ('new', '2026-03-28 22:59:59.999Z'::timestamptz),
  ('contacted', '2026-03-28 23:00Z'),
  ('contacted', '2026-03-29 21:59:59.999Z'),
  ('won', '2026-03-29 22:00Z'),
  ('lost', '2026-10-24 22:00Z'),
  ('lost', '2026-10-25 22:59:59.999Z'),
  ('qualified', '2026-10-25 23:00Z')
) as m (stage, at);
select count_stages();
select make_analyst('ana');

select act_as('ana');
select is(current_setting('timezone'), 'Asia/Tokyo', 'the session has another time zone');
prepare days as
select d.day, d.stage collate "default", d.entered from bi.pipeline_daily as d where d.entered > 0 order by d.day, d.position;
select results_eq(
  'days',
  $$values
    ('2026-03-28'::date, 'new', 1::bigint), ('2026-03-29', 'contacted', 2), ('2026-03-30', 'won', 1),
    ('2026-10-25', 'lost', 2), ('2026-10-26', 'qualified', 1)$$,
  'a day starts at midnight in Berlin'
);
select is((select max(d.day) from bi.pipeline_daily as d), (now() at time zone 'Europe/Berlin')::date, 'the last day is today there');
select is((select f.time_zone from bi.freshness as f), 'Europe/Berlin', 'the time zone is shown');

select act_as('operator');
select admin.set_organization(organization('alice'), time_zone => 'utc');
select count_stages();
select act_as('ana');
select results_eq(
  'days',
  $$values
    ('2026-03-28'::date, 'new', 1::bigint), ('2026-03-28', 'contacted', 1), ('2026-03-29', 'contacted', 1), ('2026-03-29', 'won', 1),
    ('2026-10-24', 'lost', 1), ('2026-10-25', 'qualified', 1), ('2026-10-25', 'lost', 1)$$,
  'the days are counted again'
);
select is((select f.time_zone from bi.freshness as f), 'UTC', 'by its name in pg_timezone_names');

select * from finish();
rollback;
