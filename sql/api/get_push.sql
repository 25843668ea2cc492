-- api.get_push - the state of the push that POST /leads/{id}/push-to-crm began.
set local role leads_exec;

create or replace function api.get_push(id uuid)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_sync crm.sync_values := crm.sync_in_force(auth.organization_id('write'), get_push.id);
begin
  if v_sync.id is null then
    return null;
  end if;
  return crm.push_answer(get_push.id, v_sync);
end $$;

comment on function api.get_push(uuid) is
$$Get the state of a push that is in progress.

The response is that of api.push_lead, but no push begins. The server calls this function while a client waits.$$;

grant execute on function api.get_push(uuid) to leads_api;
