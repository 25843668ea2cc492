-- admin.edit_scoring_model - creates or replaces the draft of a model, for leads scoring edit.
set local role leads_jobs;

create or replace function admin.edit_scoring_model(organization_id uuid, document jsonb)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(edit_scoring_model.organization_id)).organization_id;
  v_version integer;
begin
  perform admin.check_scoring_model(edit_scoring_model.document);
  -- If two sessions create a draft at the same time, the second replaces the draft of the first.
  loop
    update scoring.model as m
    set document = edit_scoring_model.document
    where m.organization_id = v_organization_id and m.state = 'draft'
    returning m.version into v_version;
    exit when found;
    insert into scoring.model (organization_id, version, document)
    select v_organization_id, coalesce(max(m.version), 0) + 1, edit_scoring_model.document
    from scoring.model as m
    where m.organization_id = v_organization_id
    on conflict do nothing
    returning version into v_version;
    exit when found;
  end loop;
  return v_version;
end $$;

comment on function admin.edit_scoring_model(uuid, jsonb) is
  'Replaces the draft of the organization''s scoring model, or creates it. Returns the draft''s version. Raises PT404 '
  'organization_not_found, PT422 invalid_model.';

grant execute on function admin.edit_scoring_model(uuid, jsonb) to leads_operator;
