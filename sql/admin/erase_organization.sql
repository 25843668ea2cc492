-- admin.erase_organization - erases a batch of leads, for leads erase --organization ID.
set local role leads_jobs;

create or replace function admin.erase_organization(
  organization_id uuid,
  after uuid default null,
  batch integer default 100
)
returns table (last_lead_id uuid, leads integer, events bigint, wait_seconds numeric, is_done boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization_values := admin.known_organization(erase_organization.organization_id);
  v_organization_id uuid := v_organization.organization_id;
  -- A value in place of null, because a plan that handles both scans the log from its beginning.
  v_lead_id uuid := coalesce(erase_organization.after, '00000000-0000-0000-0000-000000000000');
  v_next_id uuid;
  v_done record;
  v_leads integer := 0;
  v_events bigint := 0;
begin
  perform admin.check_settled(v_organization_id);
  -- The first batch ends all access: afterwards no request, analyst or push reaches the data.
  update auth.api_key as k
  set name = null, revoked_at = coalesce(k.revoked_at, date_trunc('milliseconds', clock_timestamp()))
  where k.organization_id = v_organization_id and (k.revoked_at is null or k.name is not null);
  delete from auth.analyst as a where a.organization_id = v_organization_id;
  -- A worker locks its push and then the connection. This uses the same order, to avoid a deadlock.
  perform from crm.sync as s
  where s.organization_id = v_organization_id and s.status = 'in_progress'
  order by s.id
  for update;
  delete from crm.connection as c where c.organization_id = v_organization_id;
  delete from webhook.endpoint as p where p.organization_id = v_organization_id;
  -- These are deleted here, because otherwise the erasure of each lead would search all of them.
  delete from intake.submission as s where s.organization_id = v_organization_id;
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;

  -- The organization is already erased, and no lead is left.
  if
    v_organization.erased_at is not null
    and not exists (select from app.lead as l where l.organization_id = v_organization_id)
  then
    return query select null::uuid, 0, audit.erase_organization(v_organization_id), 0::numeric, true;
    return;
  end if;

  -- The log's leads come first, because it has the deleted ones, too. Leads without an event follow.
  for v_number in 1 .. greatest(erase_organization.batch, 1) loop
    v_next_id := (
      select e.lead_id
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id > v_lead_id
      order by e.lead_id
      limit 1
    );
    v_next_id := coalesce(v_next_id, (
      select l.id from app.lead as l where l.organization_id = v_organization_id order by l.id limit 1
    ));
    if v_next_id is null then
      v_events := v_events + audit.erase_organization(v_organization_id);
      return query select null::uuid, v_leads, v_events, 0::numeric, true;
      return;
    end if;
    select e.wait_seconds, e.rows_gone, e.events into v_done
    from audit.erase_lead(v_organization_id, v_next_id) as e;
    if v_done.wait_seconds > 0 then
      return query select v_lead_id, v_leads, v_events, v_done.wait_seconds, false;
      return;
    end if;
    v_leads := v_leads + (v_done.rows_gone > 0 or v_done.events > 0)::integer;
    v_events := v_events + v_done.events;
    v_lead_id := v_next_id;
  end loop;
  return query select v_lead_id, v_leads, v_events, 0::numeric, false;
end $$;

comment on function admin.erase_organization(uuid, uuid, integer) is
$$Erases up to batch leads of an organization. After the last lead, erases everything else that the organization has.

after: the lead after which the batch starts; null for the first batch. Every batch revokes the keys, unbinds the analysts, and
deletes the connection, the webhooks and the kept responses. last_lead_id: the value of after for the next batch; null if everything is
erased. leads, events: the numbers that this batch erased. wait_seconds: if above 0, a push has a lease for this time; call
the function again afterwards. is_done: whether everything is erased. To continue an interrupted erasure, start again with the
first batch. Raises PT404 organization_not_found, and PT409
move_has_begun and others (admin.check_settled) if the organization moves to another cell.$$;

grant execute on function admin.erase_organization(uuid, uuid, integer) to leads_operator;
