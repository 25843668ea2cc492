begin;
select plan(1);

select act_as('dba');
insert into app.lead (organization_id, email, source, pipeline_stage, created_at, qualification_completed_at)
select organization('alice'), 'lead@example.com', l.source, l.stage, '2026-03-01 10:00Z', '2026-03-01 10:00Z'::timestamptz + l.took
from (values
  ('referral', 'won', interval '1 hour'),
  -- Qualified once, with any stage afterwards.
  ('referral', 'lost', '4 hours'),
  ('referral', 'new', null),
  ('website', 'qualified', '90 minutes'),
  (null, 'new', null)
) as l (source, stage, took);
insert into app.lead (organization_id, email, source, pipeline_stage) values (organization('bob'), 'bea@example.com', 'referral', 'won');
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$
    select p.source, p.lead_count, p.qualified, p.won, p.win_rate, p.median_hours_to_qualify
    from bi.source_performance as p
    order by p.source nulls last
  $$,
  $$
    values
      ('referral', 3::bigint, 2::bigint, 1::bigint, 0.3333::float8, 2.5::float8),
      ('website', 1, 1, 0, 0, 1.5),
      (null, 1, 0, 0, 0, null)
  $$,
  'only alice''s leads, including those without a source'
);

select * from finish();
rollback;
