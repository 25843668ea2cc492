begin;
select plan(28);

insert into app.lead (
  organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline,
  budget_range, ai_reasoning, phone, reference
)
values (organization('alice'), 'a', 'a', 'ada@example.com', 'a', 5, 'new', 'a', 'a', 'a', 'a', 'a', 'a', '911', 'a');
create function test.diff(field text, value text)
returns jsonb
language plpgsql
as $$
declare
  v_before uuid := (select max(e.id::text)::uuid from audit.event as e);
begin
  execute format('update app.lead set %I = %L', field, value);
  return (select e.payload::jsonb -> 'diff' from audit.event as e where e.id > v_before);
end
$$;

select is(
  diff(f.field, f.value), jsonb_build_object(f.field, jsonb_build_object('from', f.former, 'to', to_jsonb(f.value))),
  f.field || ' changes'
)
from (values
  ('name', to_jsonb('a'::text), 'b'), ('company', '"a"', 'b'), ('email', '"ada@example.com"', 'eve@example.com'),
  ('source', '"a"', 'b'),
  ('pipeline_stage', '"new"', 'won'), ('industry', '"a"', 'b'), ('company_size', '"a"', 'b'),
  ('pain_points', '"a"', 'b'), ('timeline', '"a"', 'b'), ('budget_range', '"a"', 'b'), ('ai_reasoning', '"a"', 'b'),
  ('phone', '"911"', '112'), ('reference', '"a"', 'b')
) as f (field, former, value);
select is(diff('details', '{"a": 1}'), '{"details": {"from": null, "to": {"a": 1}}}', 'details change');
select is(diff('details', '{"a": 1, "b": 2}'), '{"details": {"from": null, "to": {"b": 2}}}', 'and only the changed ones');
select is(diff('lead_score', '6'), '{"lead_score": {"from": 5, "to": 6}}', 'lead_score changes');
select is(
  diff(f.field, null), jsonb_build_object(f.field, jsonb_build_object('from', f.former, 'to', null)), f.field || ' becomes null'
)
from (values
  ('industry', 'b'), ('company_size', 'b'), ('pain_points', 'b'), ('timeline', 'b'), ('budget_range', 'b'),
  ('ai_reasoning', 'b'), ('source', 'b'), ('email', 'eve@example.com')
) as f (field, former);
select is(
  diff('pipeline_stage', 'qualified'),
  jsonb_build_object(
    'pipeline_stage', jsonb '{"from": "won", "to": "qualified"}',
    'qualification_completed_at',
    jsonb_build_object('from', null, 'to', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
  ),
  'a value that the database sets is in the same event'
);
select is(diff('pipeline_stage', 'new'), '{"pipeline_stage": {"from": "qualified", "to": "new"}}', 'it is set only once');
select is(diff('name', 'b'), null, 'an unchanged value creates no event');
select is_empty(
  $$
    select a.attname from pg_attribute as a
    where a.attrelid = 'app.lead'::regclass and a.attnum > 0 and not a.attisdropped
      and a.attgenerated = ''
      -- item and phone_key repeat other columns, like the generated ones. The times of stages are in the log by their events.
      and a.attname not in (
        'id', 'organization_id', 'created_at', 'updated_at', 'revision', 'score_id', 'item', 'phone_key', 'won_at', 'lost_at',
        'first_contacted_at'
      )
      and a.attname not in (
        select f.name
        from audit.event as e
        cross join jsonb_object_keys(e.payload::jsonb -> 'diff') as f (name)
        where e.lead_id is not null
      )
  $$,
  'no column is forgotten'
);

select * from finish();
rollback;
