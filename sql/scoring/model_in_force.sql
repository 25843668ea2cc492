-- scoring.model_in_force - the model that scores an organization's leads.
set local role leads_owner;

create or replace function scoring.model_in_force(
  organization_id uuid,
  out model text,
  out model_version integer,
  out document jsonb
)
language sql stable parallel safe
begin atomic
  with candidate as (
    select 'own' as model, m.version, m.document, 1 as rank
    from scoring.model as m
    where m.organization_id = model_in_force.organization_id and m.state = 'active'
    union all
    select 'default', d.version, d.document, 2
    from scoring.default_model as d
  )
  select c.model, c.version, c.document from candidate as c order by c.rank, c.version desc limit 1;
end;

comment on function scoring.model_in_force(uuid) is
  'The organization''s active model, or else the newest default model. model: own or default.';

grant execute on function scoring.model_in_force(uuid) to leads_exec, leads_jobs, leads_intake;
