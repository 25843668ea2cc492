begin;
select plan(3);

-- Each type is filled by position, so each value must be in its own field.
create function test.shape(lead app.lead_values, shape text)
returns jsonb
language plpgsql
as $$
declare
  v_shape jsonb;
begin
  execute format('select to_jsonb(app.%I($1))', shape.shape) using shape.lead into v_shape;
  return v_shape;
end
$$;
create table test.one as
select jsonb_populate_record(null::app.lead_values, '{
  "id": "00000000-0000-7000-8000-000000000001", "organization_id": "00000000-0000-7000-8000-000000000002",
  "name": "name",
  "company": "company", "email": "email", "source": "source", "lead_score": 1, "pipeline_stage": "pipeline_stage",
  "industry": "industry", "company_size": "company_size", "pain_points": "pain_points", "timeline": "timeline",
  "budget_range": "budget_range", "ai_reasoning": "ai_reasoning",
  "qualification_completed_at": "2026-01-01T00:00:00.001Z",
  "created_at": "2026-01-01T00:00:00.002Z", "updated_at": "2026-01-01T00:00:00.003Z"
}') as lead;

select is(
  shape(o.lead, s.shape),
  (
    select jsonb_object_agg(
      f.key,
      case
        when f.key like '%\_at' then to_jsonb(
          to_char((f.value #>> '{}')::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        )
        else f.value
      end
    )
    from jsonb_each(to_jsonb(o.lead)) as f
    join pg_attribute as a on a.attrelid = s.type::regclass and a.attname = f.key
  ),
  s.shape
)
from test.one as o
cross join (values
  ('lead_item', 'api.lead_item'), ('lead_whole', 'api.lead'), ('lead_change', 'api.lead_change')
) as s (shape, type);

select * from finish();
rollback;
