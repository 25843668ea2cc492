-- admin.delete_moved - deletes the rows that a move has left at the source.
set local role leads_jobs;

create or replace function admin.delete_moved(organization_id uuid, batch integer default 10000)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := delete_moved.organization_id;
  v_state text;
  v_deleted bigint;
begin
  select p.state into v_state
  from app.placement as p
  where p.organization_id = v_organization_id
  for update;
  if v_state is null and admin.placement(v_organization_id) = 'absent' then
    return 0;
  elsif v_state is distinct from 'moved' then
    perform admin.wrong_state(v_organization_id, 'To delete the rows of a moved organization');
  end if;
  -- This line of the server's log stays.
  raise log 'delete_moved: % deletes the audit log of organization %, which was moved', session_user, v_organization_id;
  update app.placement as p
  set changed_in = pg_current_xact_id_if_assigned()
  where p.organization_id = v_organization_id;
  v_deleted := audit.delete_rows(v_organization_id, delete_moved.batch);
  if v_deleted = 0 then
    delete from app.placement as p where p.organization_id = v_organization_id;
  end if;
  return v_deleted;
end $$;

comment on function admin.delete_moved(uuid, integer) is
$$Deletes about batch rows of an organization that was moved to another cell, with its events and seals. Call it until it returns 0;
then the organization can be moved back. Only the migrating login can execute it, because it deletes a part of the audit log.

Check before that the other cell has the organization: leads audit verify there. Returns the number of deleted rows; 0 also if the
cell has nothing of the organization. Raises PT409 wrong_state.$$;
