begin;
select plan(3);

select act_as('operator');
select admin.set_organization(organization('alice'), time_zone => 'Atlantic/Azores');
select act_as('dba');
-- On 25 October, the Azores have midnight twice: at 00:00 and at 01:00 UTC.
insert into app.lead (organization_id, email, source, lead_score, pipeline_stage, created_at, updated_at, qualification_completed_at)
select
  organization('alice'), 'a@example.com', (array['web', 'phone', null])[1 + n % 3], n % 101,
  (array['new', 'won', 'lost'])[1 + n % 3], c.created_at, c.created_at,
  case when n % 2 = 0 then c.created_at + n * interval '7 minutes' end
from generate_series(0, 200) as n
cross join lateral (select timestamptz '2026-10-22 12:00Z' + n * interval '31 minutes' as created_at) as c;
insert into app.lead (organization_id, email, source) values (organization('bob'), 'b@example.com', 'web');
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$
    select s.source, sum(s.lead_count)::bigint, sum(s.qualified)::bigint, sum(s.won)::bigint
    from bi.source_daily as s group by s.source order by s.source
  $$,
  'select p.source, p.lead_count, p.qualified, p.won from bi.source_performance as p order by p.source',
  'sums'
);
select results_eq(
  $$
    select s.day, s.source, s.lead_count, s.qualified, s.won, s.lost, s.lead_score_sum, round(s.hours_to_qualify_sum::numeric, 6)
    from bi.source_daily as s order by s.day, s.source
  $$,
  $$
    select
      (l.created_at at time zone 'Atlantic/Azores')::date as day, l.source, count(*), count(l.qualification_completed_at),
      count(*) filter (where l.pipeline_stage = 'won'), count(*) filter (where l.pipeline_stage = 'lost'), sum(l.lead_score),
      round(sum(extract(epoch from l.qualification_completed_at - l.created_at)) / 3600, 6)
    from bi.leads as l group by day, l.source order by day, l.source
  $$,
  'each lead is in its day'
);
select is(
  (select sum(s.lead_count) from bi.source_daily as s where s.day between '2026-10-25' and '2026-10-26'),
  (select count(*)::numeric from bi.leads as l where (l.created_at at time zone 'Atlantic/Azores')::date between '2026-10-25' and '2026-10-26'),
  'a period'
);

select * from finish();
rollback;
