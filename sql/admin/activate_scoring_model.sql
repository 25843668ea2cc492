-- admin.activate_scoring_model - activates a version of a model, for leads scoring activate.
set local role leads_jobs;

create or replace function admin.activate_scoring_model(organization_id uuid, version integer default null)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(activate_scoring_model.organization_id)).organization_id;
  v_model scoring.model;
begin
  -- Locks all models of the organization, so that concurrent activations wait for each other.
  perform from scoring.model as m where m.organization_id = v_organization_id order by m.version for update;
  select m.* into v_model
  from scoring.model as m
  where
    m.organization_id = v_organization_id
    and case
      when activate_scoring_model.version is null then m.state = 'draft'
      else m.version = activate_scoring_model.version
    end;
  if not found then
    raise sqlstate 'PT404' using
      message = 'model_not_found',
      hint = case
        when activate_scoring_model.version is not null then
          format('The organization has no scoring model of version %s.', activate_scoring_model.version)
        else coalesce(
          (
            select format('There is no draft. Version %s is active since %s.', m.version, app.utc_text(m.activated_at))
            from scoring.model as m
            where m.organization_id = v_organization_id and m.state = 'active'
          ),
          'There is no draft.'
        ) || ' To create one, run: leads scoring edit FILE'
      end;
  end if;
  if v_model.state = 'active' then
    raise sqlstate 'PT409' using
      message = 'model_is_active',
      hint = format('Version %s is already active, since %s.', v_model.version, app.utc_text(v_model.activated_at));
  end if;
  update scoring.model as m
  set state = 'retired'
  where m.organization_id = v_organization_id and m.state = 'active';
  update scoring.model as m
  set state = 'active', activated_at = date_trunc('milliseconds', now())
  where m.organization_id = v_organization_id and m.version = v_model.version;
  return v_model.version;
end $$;

comment on function admin.activate_scoring_model(uuid, integer) is
$$Activates a version of the organization's scoring model and retires the version that was active. Returns the version.

version: null for the draft. A retired version can be activated again. An activated version can't be changed. Raises PT404
organization_not_found and model_not_found, PT409 model_is_active.$$;

grant execute on function admin.activate_scoring_model(uuid, integer) to leads_operator;
