-- admin.discard_arrival - deletes what has arrived of an organization whose move is aborted, at the target.
set local role leads_jobs;

create or replace function admin.discard_arrival(organization_id uuid, batch integer default 10000)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := discard_arrival.organization_id;
  v_state text;
  v_deleted bigint;
begin
  select p.state into v_state
  from app.placement as p
  where p.organization_id = v_organization_id
  for update;
  if v_state is null and admin.placement(v_organization_id) = 'absent' then
    return 0;
  elsif v_state is distinct from 'arriving' then
    perform admin.wrong_state(v_organization_id, 'To discard what has arrived');
  end if;
  update app.placement as p
  set changed_in = pg_current_xact_id_if_assigned()
  where p.organization_id = v_organization_id;
  v_deleted := audit.delete_rows(v_organization_id, discard_arrival.batch);
  if v_deleted = 0 then
    delete from app.placement as p where p.organization_id = v_organization_id;
  end if;
  return v_deleted;
end $$;

comment on function admin.discard_arrival(uuid, integer) is
$$Deletes about batch rows of an organization that arrives, never of another one. Call it after the subscription is dropped, until it
returns 0: then nothing is left, and a new move can begin.

Returns the number of deleted rows; 0 also if the cell has nothing of the organization. Raises PT409 wrong_state.$$;

grant execute on function admin.discard_arrival(uuid, integer) to leads_operator;
