begin;
select plan(4);

create view test.fields as
select *
from (values
  ('{"email": "1@example.com"}'::jsonb),
  ('{"name": "Ada", "company": " Alder ", "lead_score": 87.0, "source": "web", "pipeline_stage": "qualified"}'),
  (
    '{"name": "Bea", "email": "bea@example.com", "phone": "(555) 010-0199", "reference": "r", "details": {"roof": "slate", "age": 1},
    "industry": "i", "company_size": "s", "pain_points": "p", "timeline": "t", "budget_range": "b", "ai_reasoning": "a"}'
  )
) as f (fields);
grant select on test.fields to public;

select act_as('alice');
select api.create_lead(f.fields::text) from test.fields as f;
select act_as('bob');
select api.store_leads((select jsonb_agg(f.fields)::text from test.fields as f), 'application/json');

select act_as('dba');
create view test.event_of as
select
  o.actor,
  row_number() over (partition by e.organization_id order by e.id) as number,
  e.action, e.source, e.correlation_id,
  (e.payload -> 'key_id')::text = to_json(test.key_id(o.actor))::text as has_key,
  e.payload::text like '{"lead_id":"' || e.lead_id || '",%' as names_lead,
  (e.payload -> 'diff')::text as diff,
  e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8')) as has_digest,
  e.action_and_source, e.stage_left, e.stage_entered,
  exists (select from audit.unsealed as u where u.organization_id = e.organization_id and u.event_id = e.id) as is_queued
from (values ('alice'), ('bob')) as o (actor)
join audit.event as e on e.organization_id = test.organization(o.actor) and e.lead_id is not null;
select is((select count(*) from test.event_of where actor = 'bob'), 3::bigint, 'three events');
-- The time of the qualification is that of the transaction, which is the same here.
select results_eq(
  $$select (to_jsonb(e) - 'actor')::text from test.event_of as e where e.actor = 'bob' order by e.number$$,
  $$select (to_jsonb(e) - 'actor')::text from test.event_of as e where e.actor = 'alice' order by e.number$$,
  'the events are the same'
);
select results_eq(
  $$
    select to_jsonb(l) - 'id' - 'organization_id' - 'item' from app.lead as l
    where l.organization_id = organization('bob') order by l.id
  $$,
  $$
    select to_jsonb(l) - 'id' - 'organization_id' - 'item' from app.lead as l
    where l.organization_id = organization('alice') order by l.id
  $$,
  'the leads are the same'
);
select results_eq(
  $$select s.kind, s.lead_score, s.ai_reasoning from scoring.score as s where s.organization_id = organization('bob') order by s.id$$,
  $$select s.kind, s.lead_score, s.ai_reasoning from scoring.score as s where s.organization_id = organization('alice') order by s.id$$,
  'the scores are the same'
);

select * from finish();
rollback;
