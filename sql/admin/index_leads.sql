-- admin.index_leads - stores the words of leads that were created or changed. A worker calls it every second.
set local role leads_jobs;

create or replace function admin.index_leads(after uuid default null, batch integer default 1000, until uuid default null)
returns table (organization_id uuid, indexed integer) language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := coalesce(index_leads.after, '00000000-0000-0000-0000-000000000000');
  v_last_id uuid := coalesce(index_leads.until, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_ids uuid[];
  v_present uuid[];
  v_locked uuid[];
begin
  v_organization_id := (
    select u.organization_id
    from app.unindexed_lead as u
    where
      u.organization_id > v_organization_id
      and u.organization_id <= v_last_id
      and not exists (select from app.placement as f where f.organization_id = u.organization_id and f.is_fenced)
    order by u.organization_id
    limit 1
  );
  if v_organization_id is null then
    return;
  end if;
  v_ids := array(
    select u.lead_id
    from app.unindexed_lead as u
    where u.organization_id = v_organization_id
    order by u.lead_id
    limit index_leads.batch
  );
  -- An erasure that is running has locked its lead: it must not wait, and the lead must not get words afterwards.
  v_present := array(
    select l.id from app.lead as l where l.organization_id = v_organization_id and l.id = any (v_ids)
  );
  v_locked := array(
    select l.id from app.lead as l where l.organization_id = v_organization_id and l.id = any (v_present)
    for key share skip locked
  );
  -- Before the leads are read, so that a lead that changes from now on is put into the queue again. Another worker may
  -- have taken some of them.
  with deleted as (
    delete from app.unindexed_lead as u
    where
      u.organization_id = v_organization_id
      and u.lead_id = any (v_ids)
      and (u.lead_id = any (v_locked) or u.lead_id <> all (v_present))
    returning u.lead_id
  )
  select coalesce(array_agg(d.lead_id), '{}') into v_ids from deleted as d;

  delete from app.lead_word as w where w.organization_id = v_organization_id and w.lead_id = any (v_ids);
  insert into app.lead_word (organization_id, lead_id, word, created_at)
  select l.organization_id, l.id, w.word, l.created_at
  from app.lead as l
  cross join lateral unnest(app.lead_words(l.name, l.company, l.email)) as w (word)
  where l.organization_id = v_organization_id and l.id = any (v_ids) and l.id = any (v_locked);
  return query select v_organization_id, cardinality(v_ids);
end $$;

comment on function admin.index_leads(uuid, integer, uuid) is
$$Stores the words of up to batch leads of one organization that are in the queue app.unindexed_lead.

It takes the first organization with an id greater than "after" that has leads in the queue; null: the first of all. until:
the greatest id that it may take; null: any. Returns no row if there is no such organization. indexed: the number of leads.

A lead that another session has locked stays in the queue. Several workers may call it at the same time.$$;

grant execute on function admin.index_leads(uuid, integer, uuid) to leads_worker;
