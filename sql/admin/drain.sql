-- admin.drain - begins no push and no delivery of an organization any more. At the source, before admin.fence.
set local role leads_jobs;

create or replace function admin.drain(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_state text;
begin
  select p.state into v_state
  from app.placement as p
  where p.organization_id = drain.organization_id
  for update;
  if v_state in ('draining', 'moving') then
    return;
  elsif v_state is distinct from 'copying' then
    perform admin.wrong_state(drain.organization_id, 'This step of a move');
  end if;
  update app.placement as p
  set state = 'draining', since = date_trunc('milliseconds', clock_timestamp())
  where p.organization_id = drain.organization_id;
  perform auth.fence_keys(drain.organization_id);
end $$;

comment on function admin.drain(uuid) is
$$No worker leases a push or a delivery of the organization from now on. Requests are served by the primary alone, and events sealed.

Afterwards admin.unfinished lists the leases that have not ended. When it lists none, admin.fence has none to wait for, so that
requests are refused for a shorter time. A replica answers requests until it has replayed this step, so call admin.fence only after all
of them have, or are avoided. Raises PT409 wrong_state, and 55P03 as admin.fence does.$$;

grant execute on function admin.drain(uuid) to leads_operator;
