-- admin.fence - refuses everything about an organization that moves, at the source.
set local role leads_jobs;

create or replace function admin.fence(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_state text;
begin
  select p.state into v_state
  from app.placement as p
  where p.organization_id = fence.organization_id
  for update;
  if v_state = 'moving' then
    return;
  elsif v_state is null or v_state not in ('copying', 'draining') then
    perform admin.wrong_state(fence.organization_id, 'The fence');
  end if;
  update app.placement as p
  set
    state = 'moving', since = date_trunc('milliseconds', clock_timestamp()), changed_in = pg_current_xact_id_if_assigned(),
    waits_for = null
  where p.organization_id = fence.organization_id;
  perform auth.fence_keys(fence.organization_id);
end $$;

comment on function admin.fence(uuid) is
$$From the commit on, requests for the organization get 503 moving, and no worker seals, counts, queues, pushes or delivers for it.

What has begun before goes on: admin.unfinished lists it. Raises PT409 wrong_state, and 55P03 if a transaction that changes keys
doesn't end in 2 seconds: then call it again.$$;

grant execute on function admin.fence(uuid) to leads_operator;
