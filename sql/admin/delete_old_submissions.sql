-- admin.delete_old_submissions - deletes submissions after 30 days.
set local role leads_jobs;

create or replace function admin.delete_old_submissions(batch integer)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_deleted integer;
begin
  delete from intake.client as c
  using app.organization as o
  where
    c.organization_id = o.organization_id and c.free_at < now()
    and not exists (select from app.placement as f where f.organization_id = o.organization_id and f.is_fenced);
  with old as (
    select e.organization_id, e.id
    from app.organization as o
    cross join lateral (
      select s.organization_id, s.id
      from intake.submission as s
      where s.organization_id = o.organization_id and s.created_at < now() - interval '30 days'
      order by s.created_at
      limit delete_old_submissions.batch
    ) as e
    where not exists (select from app.placement as f where f.organization_id = o.organization_id and f.is_fenced)
    limit delete_old_submissions.batch
  )
  delete from intake.submission as s
  using old as e
  where s.organization_id = e.organization_id and s.id = e.id;
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;

comment on function admin.delete_old_submissions(integer) is
  'Deletes up to batch submissions that are older than 30 days, of all organizations, and the addresses of clients that have '
  'used up nothing of their limit. Returns the number of deleted submissions. A worker calls it every hour, until the number is '
  'less than batch.';

grant execute on function admin.delete_old_submissions(integer) to leads_worker;
