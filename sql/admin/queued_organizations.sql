-- admin.queued_organizations - the organizations for which a task of the worker has something to do.
set local role leads_jobs;

create or replace function admin.queued_organizations(task text, after uuid default null, batch integer default 1000)
returns setof uuid language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := coalesce(queued_organizations.after, '00000000-0000-0000-0000-000000000000');
begin
  -- One look into the index for each organization, because the queue of one may be long.
  for v_number in 1..queued_organizations.batch loop
    v_organization_id := case queued_organizations.task
      when 'sealer' then (
        select u.organization_id from audit.unsealed as u
        where
          u.organization_id > v_organization_id
          and not exists (select from app.placement as f where f.organization_id = u.organization_id and f.is_fenced)
        order by u.organization_id
        limit 1
      )
      when 'indexer' then (
        select u.organization_id from app.unindexed_lead as u
        where
          u.organization_id > v_organization_id
          and not exists (select from app.placement as f where f.organization_id = u.organization_id and f.is_fenced)
        order by u.organization_id
        limit 1
      )
      when 'counter' then (
        select u.organization_id from app.uncounted_seal as u
        where
          u.organization_id > v_organization_id
          and not exists (select from app.placement as f where f.organization_id = u.organization_id and f.is_fenced)
        order by u.organization_id
        limit 1
      )
      when 'queuer' then (
        select b.organization_id from webhook.unqueued_batch as b
        where
          b.organization_id > v_organization_id
          and not exists (select from app.placement as f where f.organization_id = b.organization_id and f.is_fenced)
        order by b.organization_id
        limit 1
      )
    end;
    exit when v_organization_id is null;
    return next v_organization_id;
  end loop;
end $$;

comment on function admin.queued_organizations(text, uuid, integer) is
$$The organizations in the queue of a task, in the order of their ids: up to batch with an id greater than "after"; null: from the first.

task: sealer (admin.seal_events), indexer (admin.index_leads), counter (admin.count_stages) or queuer (webhook.queue_deliveries).
The worker calls the function of the task for each of them, so that it knows which organization an error is about. An organization
that is fenced is left out (app.placement).$$;

grant execute on function admin.queued_organizations(text, uuid, integer) to leads_worker;
