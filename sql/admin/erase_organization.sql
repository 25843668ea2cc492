-- admin.erase_organization - leads erase --organization ID: one batch of it.
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
  -- Not null: the next lead's condition would have two shapes, and a plan for both walks the log from its beginning.
  v_lead_id uuid := coalesce(erase_organization.after, '00000000-0000-0000-0000-000000000000');
  v_next_id uuid;
  v_done record;
  v_leads integer := 0;
  v_events bigint := 0;
begin
  -- From the first batch on nothing comes in, and nothing goes out.
  update auth.api_key as k
  set name = null, revoked_at = coalesce(k.revoked_at, date_trunc('milliseconds', clock_timestamp()))
  where k.organization_id = v_organization_id and (k.revoked_at is null or k.name is not null);
  delete from auth.analyst as a where a.organization_id = v_organization_id;
  -- A worker locks its push, and then the connection: in this order here, too.
  perform from crm.sync as s
  where s.organization_id = v_organization_id and s.status = 'in_progress'
  order by s.id
  for update;
  delete from crm.connection as c where c.organization_id = v_organization_id;
  -- Or each lead's erasure would look through them all.
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;

  -- Said again of one that is erased: there is nothing to walk through.
  if
    v_organization.erased_at is not null
    and not exists (select from app.lead as l where l.organization_id = v_organization_id)
  then
    return query select null::uuid, 0, audit.erase_organization(v_organization_id), 0::numeric, true;
    return;
  end if;

  -- By the log, which has those that were deleted, too, and then by what is left.
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
$$Erases up to batch leads of an organization, the next after a lead; null: the first; behind the last, all else that it has.

Keys are revoked, analysts unbound, the connection and kept answers removed from the first batch on. last_lead_id: after, for
the next batch; null: all is erased. leads, events: how many this batch erased. wait_seconds: above 0, a push holds a lease
for so long: ask again then. is_done: all is erased. What broke off is taken up by asking from the first again. Raises PT404
organization_not_found.$$;

grant execute on function admin.erase_organization(uuid, uuid, integer) to leads_operator;
