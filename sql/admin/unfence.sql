-- admin.unfence - opens an organization again that a move has fenced, at the source. The move has not ended.
set local role leads_jobs;

create or replace function admin.unfence(organization_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_placement record;
begin
  select p.state, p.handed_over_at into v_placement
  from app.placement as p
  where p.organization_id = unfence.organization_id
  for update;
  if v_placement.state = 'copying' then
    return;
  -- Once the rows are handed over, the other cell may answer.
  elsif v_placement.state is null or v_placement.state not in ('draining', 'moving') or v_placement.handed_over_at is not null then
    perform admin.wrong_state(unfence.organization_id, 'To open the organization again');
  end if;
  update app.placement as p
  set state = 'copying', since = date_trunc('milliseconds', clock_timestamp()), waits_for = null
  where p.organization_id = unfence.organization_id;
  perform auth.fence_keys(unfence.organization_id);
end $$;

comment on function admin.unfence(uuid) is
$$This cell does everything for the organization again, and its rows are still copied to the other cell.

For a move that waits too long after admin.fence. Raises PT409 wrong_state, also as soon as admin.owned_rows was called, and
55P03 as admin.fence does.$$;

grant execute on function admin.unfence(uuid) to leads_operator;
