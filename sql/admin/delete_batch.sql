-- admin.delete_batch - deletes a part of the rows of an organization that another cell has.
set local role leads_jobs;

create or replace function admin.delete_batch(organization_id uuid, state text, step text, batch integer)
returns bigint language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := delete_batch.organization_id;
  v_state text;
  v_deleted bigint;
begin
  select p.state into v_state
  from app.placement as p
  where p.organization_id = v_organization_id
  for update;
  if v_state is null and admin.placement(v_organization_id) = 'absent' then
    return 0;
  elsif v_state is distinct from delete_batch.state then
    perform admin.wrong_state(v_organization_id, delete_batch.step);
  elsif v_state = 'moved' then
    -- This line of the server's log stays.
    raise log 'delete_moved: % deletes the audit log of organization %, which was moved', session_user, v_organization_id;
  end if;
  update app.placement as p
  set changed_in = pg_current_xact_id_if_assigned()
  where p.organization_id = v_organization_id;
  v_deleted := audit.delete_rows(v_organization_id, delete_batch.batch);
  if v_deleted = 0 then
    delete from app.placement as p where p.organization_id = v_organization_id;
  end if;
  return v_deleted;
end $$;

comment on function admin.delete_batch(uuid, text, text, integer) is
$$What admin.discard_arrival and admin.delete_moved have in common. state: that of their organizations. step: for the error.

Returns the number of deleted rows. 0: none is left, or the cell has nothing of the organization. Raises PT409 wrong_state.$$;
