-- admin.scoring_models - lists an organization's models and the default, for leads scoring show.
set local role leads_jobs;

create or replace function admin.scoring_models(organization_id uuid)
returns table (model text, version integer, state text, document json, created_at text, activated_at text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(scoring_models.organization_id);
  return query
  select 'own', m.version, m.state, m.document::json, app.utc_text(m.created_at), app.utc_text(m.activated_at)
  from scoring.model as m
  where m.organization_id = scoring_models.organization_id
  union all
  select
    'default', d.version,
    case
      when d.version < max(d.version) over () then 'retired'
      when f.model = 'default' then 'active'
      else 'unused'
    end,
    d.document::json, null, null
  from scoring.default_model as d
  cross join scoring.model_in_force(scoring_models.organization_id) as f
  order by 1 desc, 2 desc;
end $$;

comment on function admin.scoring_models(uuid) is
$$The organization's scoring models, the newest first, and then the default models. Raises PT404 organization_not_found.

state: "draft", "active" or "retired". The newest default model is "unused" while the organization has an active model.$$;

grant execute on function admin.scoring_models(uuid) to leads_operator;
