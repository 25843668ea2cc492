-- app.tg_organization__add_pipeline_stages - adds six stages to a new organization.
set local role leads_owner;

create or replace function app.tg_organization__add_pipeline_stages()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.pipeline_stage (organization_id, name, position)
  select new.organization_id, s.name, s.position
  from unnest(array['new', 'contacted', 'qualified', 'proposal', 'won', 'lost']) with ordinality as s (name, position);
  return null;
end $$;

comment on function app.tg_organization__add_pipeline_stages() is 'Adds the six initial stages to a new organization.';
