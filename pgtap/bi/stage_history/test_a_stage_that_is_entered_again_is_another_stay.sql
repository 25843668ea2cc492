begin;
select plan(1);

select move_lead('alice', '00000000-0000-7000-8000-000000000001', m.stage_left, m.stage_entered, m.at)
from (values
  (null, 'new', '2026-03-01 10:00Z'::timestamptz),
  ('new', 'lost', '2026-03-02 10:00Z'),
  ('lost', 'new', '2026-03-05 10:00Z')
) as m (stage_left, stage_entered, at);
select count_stages();
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$select h.hours, h.next_stage collate "default" from bi.stage_history as h where h.stage = 'new' order by h.entered_at$$,
  $$values (24::float8, 'lost'), (null, null)$$,
  'two stays in the stage new; the second hasn''t ended'
);

select * from finish();
rollback;
