begin;
select plan(1);

select act_as('dba');
insert into audit.event (id, organization_id, action, source, lead_id, payload, payload_digest, created_at)
select
  e.id, organization('alice'), 'lead.updated', 'sql', '00000000-0000-7000-8000-000000000001', e.payload, sha256(''),
  app.id_time(e.id)
from (values
  -- The rows are written in the opposite order.
  ('019ca8d7-2d00-7000-8000-00000000000b'::uuid, '{"diff": {"pipeline_stage": {"from": "contacted", "to": "won"}}}'::json),
  ('019ca8d7-2d00-7000-8000-00000000000a', '{"diff": {"pipeline_stage": {"from": "new", "to": "contacted"}}}')
) as e (id, payload);
select count_stages();
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$select h.stage collate "default", h.hours, h.next_stage collate "default" from bi.stage_history as h order by h.stage$$,
  $$values ('contacted', 0::float8, 'won'), ('won', null, null)$$,
  'the order of their ids'
);

select * from finish();
rollback;
