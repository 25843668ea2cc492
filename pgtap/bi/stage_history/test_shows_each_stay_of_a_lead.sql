begin;
select plan(1);

select move_lead('alice', '00000000-0000-7000-8000-000000000001', m.stage_left, m.stage_entered, m.at)
from (values
  (null, 'new', '2026-03-01 10:00Z'::timestamptz),
  ('new', 'contacted', '2026-03-01 12:30Z'),
  ('contacted', 'won', '2026-03-04 12:30Z')
) as m (stage_left, stage_entered, at);
select move_lead('alice', '00000000-0000-7000-8000-000000000002', null, 'new', '2026-03-02 10:00Z');
select count_stages();
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$select h.stage collate "default", h.entered_at, h.left_at, h.hours, h.next_stage collate "default" from bi.stage_history as h order by h.entered_at$$,
  $$
    values
      ('new', '2026-03-01 10:00Z'::timestamptz(3), '2026-03-01 12:30Z'::timestamptz(3), 2.5::float8, 'contacted'),
      ('contacted', '2026-03-01 12:30Z', '2026-03-04 12:30Z', 72, 'won'),
      ('new', '2026-03-02 10:00Z', null, null, null),
      ('won', '2026-03-04 12:30Z', null, null, null)
  $$,
  'the start, the end, the hours and the next stage of each stay; another lead''s stays are separate'
);

select * from finish();
rollback;
