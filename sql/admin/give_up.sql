-- admin.give_up - ends a move at the source, after the other cell has taken the organization over.
set local role leads_jobs;

create or replace function admin.give_up(organization_id uuid, target_cell text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := give_up.organization_id;
  v_placement record;
begin
  select p.state, p.cell, p.handed_over_at into v_placement
  from app.placement as p
  where p.organization_id = v_organization_id
  for update;
  if v_placement.state = 'moved' and v_placement.cell = give_up.target_cell then
    return;
  elsif (
    v_placement.state = 'moving' and v_placement.cell = give_up.target_cell and v_placement.handed_over_at is not null
  ) is not true
  then
    perform admin.wrong_state(v_organization_id, 'To give up an organization');
  end if;

  -- First, because the triggers that record changes leave out what this transaction does.
  update app.placement as p
  set
    state = 'moved', since = date_trunc('milliseconds', clock_timestamp()), changed_in = pg_current_xact_id_if_assigned(),
    waits_for = null
  where p.organization_id = v_organization_id;
  -- The forms refer to the keys, and the submissions to the forms, so that the rows stay until admin.delete_moved.
  update auth.api_key as k
  set revoked_at = date_trunc('milliseconds', clock_timestamp())
  where k.organization_id = v_organization_id and k.revoked_at is null;
  delete from auth.analyst as a where a.organization_id = v_organization_id;
  delete from crm.connection as c where c.organization_id = v_organization_id;
  delete from webhook.endpoint as e where e.organization_id = v_organization_id;
  delete from webhook.unqueued_batch as b where b.organization_id = v_organization_id;
  delete from audit.unsealed as u where u.organization_id = v_organization_id;
  delete from app.uncounted_seal as s where s.organization_id = v_organization_id;
  perform audit.unpublish_rows(v_organization_id);
end $$;

comment on function admin.give_up(uuid, text) is
$$Call it after admin.take_over at the target. Its keys get 401 here, and its analysts read nothing here.

It revokes the keys, unbinds the analysts, deletes the connection to the CRM, the webhooks and the queues, and drops the publication.
The other rows stay, unreachable, until admin.delete_moved. A second call changes nothing. Raises PT409 wrong_state.$$;

grant execute on function admin.give_up(uuid, text) to leads_operator;
