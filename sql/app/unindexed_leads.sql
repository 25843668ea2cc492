-- app.unindexed_leads - the leads of an organization whose words may be missing in app.lead_word.
set local role leads_owner;

create or replace function app.unindexed_leads(organization_id uuid, "limit" integer)
returns uuid[] language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := unindexed_leads.organization_id;
  v_events uuid[];
  v_queued uuid[];
begin
  v_queued := array(
    select u.lead_id from app.unindexed_lead as u where u.organization_id = v_organization_id limit unindexed_leads.limit
  );
  if cardinality(v_queued) = unindexed_leads.limit then
    return v_queued;
  end if;
  v_events := array(
    select u.event_id from audit.unsealed as u where u.organization_id = v_organization_id limit unindexed_leads.limit
  );
  if cardinality(v_events) = unindexed_leads.limit then
    return v_events;
  end if;
  return array(
    select q.id from unnest(v_queued) as q (id)
    union
    select e.lead_id
    from unnest(v_events) as u (event_id)
    -- OFFSET prevents a join that would read all events.
    cross join lateral (
      select e.lead_id, e.action
      from audit.event as e
      where e.organization_id = v_organization_id and e.id = u.event_id and e.created_at = app.id_time(u.event_id)
      offset 0
    ) as e
    where e.action in ('lead.created', 'lead.updated')
    limit unindexed_leads.limit
  );
end $$;

comment on function app.unindexed_leads(uuid, integer) is
$$The leads that were created or changed, and whose words admin.index_leads has not stored since: those with an event that is
not sealed yet, and those in app.unindexed_lead. Usually they are the leads of the last second.

"limit": the number of ids. If the array has as many, there may be more, and it may contain ids of events instead.$$;

grant execute on function app.unindexed_leads(uuid, integer) to leads_exec;
