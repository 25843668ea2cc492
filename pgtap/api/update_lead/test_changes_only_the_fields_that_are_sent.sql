begin;
select plan(21);

-- Changes one field after another. After each change, only this field of the GET is different.
create function test.changed(fields jsonb)
returns jsonb
language plpgsql
as $$
declare
  v_id uuid := test.lead('ada@example.com');
  v_changed jsonb;
begin
  perform api.update_lead(v_id, changed.fields::text);
  select jsonb_object_agg(f.key, f.value) into v_changed
  from jsonb_each((api.get_lead(v_id)).body::jsonb) as f
  where f.value is distinct from (kept('before')).body::jsonb -> f.key and f.key <> 'updated_at';
  perform api.update_lead(v_id, jsonb_object_agg(f.key, (kept('before')).body::jsonb -> f.key)::text)
  from jsonb_object_keys(changed.fields) as f (key);
  return v_changed;
end
$$;

select act_as('alice');
select made_lead('{
  "name": "a", "company": "b", "email": "ada@example.com", "source": "d", "lead_score": 5, "pipeline_stage": "new",
  "industry": "f", "company_size": "g", "pain_points": "h", "timeline": "i", "budget_range": "j", "ai_reasoning": "k"
}');
select keep('before', api.get_lead(lead('ada@example.com')));

select is(changed(f.fields), f.fields, f.fields::text)
from (values
  ('{"name": "x"}'::jsonb), ('{"company": "x"}'), ('{"email": "ada@example.net"}'), ('{"source": "x"}'),
  ('{"lead_score": 99}'),
  ('{"pipeline_stage": "won"}'), ('{"industry": "x"}'), ('{"company_size": "x"}'), ('{"pain_points": "x"}'),
  ('{"timeline": "x"}'), ('{"budget_range": "x"}'), ('{"ai_reasoning": "x"}'),
  ('{"name": null}'), ('{"company": null}'), ('{"source": null}'), ('{"industry": null}'), ('{"company_size": null}'),
  ('{"pain_points": null}'), ('{"timeline": null}'), ('{"budget_range": null}'), ('{"ai_reasoning": null}')
) as f (fields);

select * from finish();
rollback;
