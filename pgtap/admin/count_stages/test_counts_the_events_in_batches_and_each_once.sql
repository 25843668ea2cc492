begin;
select plan(8);

select count_stages();
select move_lead('alice', '00000000-0000-7000-8000-000000000001', m.stage_left, m.stage_entered, m.at)
from (values
  (null, 'new', '2026-03-01 10:00Z'::timestamptz),
  ('new', 'contacted', '2026-03-02 10:00Z'),
  ('contacted', 'won', '2026-03-03 10:00Z'),
  ('won', 'lost', '2026-03-03 11:00Z'),
  ('lost', null, '2026-03-04 10:00Z')
) as m (stage_left, stage_entered, at);
insert into audit.unsealed (organization_id, event_id)
select e.organization_id, e.id from audit.event as e where e.lead_id = '00000000-0000-7000-8000-000000000001';
select is((select s.sealed from admin.seal_events() as s), 5, 'five events are sealed');
-- A position that is missing holds nothing up. leads audit verify reports it.
set local session_replication_role = replica;
alter table audit.seal disable trigger _100_refuse_change;
update audit.seal as s set position = s.position + 3
where s.event_id in (
  select e.id from audit.event as e
  where e.lead_id = '00000000-0000-7000-8000-000000000001' and e.created_at > '2026-03-03 10:30Z'
);
update app.uncounted_seal as u set position = u.position + 3;
alter table audit.seal enable always trigger _100_refuse_change;
set local session_replication_role = origin;

prepare counted as select c.organization_id, c.counted from admin.count_stages(null, 2) as c;
select results_eq('counted', $$select organization('alice'), 2$$, 'a batch: there is more to do');
select results_eq(
  'select s.stage collate "default", s.left_at is null from app.stage_stay as s order by s.position',
  $$values ('new', false), ('contacted', true)$$,
  'the last stay of the batch is open'
);
select results_eq('counted', $$select organization('alice'), 2$$, 'the next batch');
select results_eq('counted', $$select organization('alice'), 2$$, 'and the next');
select results_eq('counted', $$select organization('alice'), 2$$, 'the last one');
select is_empty('counted', 'nothing is left');
select results_eq(
  'select d.day, d.stage collate "default", d.entered, d.departed from app.stage_day as d order by d.day, d.stage',
  $$values
    ('2026-03-01'::date, 'new', 1::bigint, 0::bigint), ('2026-03-02', 'contacted', 1, 0), ('2026-03-02', 'new', 0, 1),
    ('2026-03-03', 'contacted', 0, 1), ('2026-03-03', 'lost', 1, 0), ('2026-03-03', 'won', 1, 1), ('2026-03-04', 'lost', 0, 1)$$,
  'each stay is counted once'
);

select * from finish();
rollback;
