-- admin.delete_expired_answers - deletes responses that were kept for more than a day.
set local role leads_jobs;

create or replace function admin.delete_expired_answers(batch integer)
returns integer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_deleted integer;
begin
  with expired as (
    select e.organization_id, e.key_digest
    from app.organization as o
    cross join lateral (
      select k.organization_id, k.key_digest
      from app.idempotency_key as k
      where k.organization_id = o.organization_id and k.created_at < now() - interval '24 hours'
      order by k.created_at
      limit delete_expired_answers.batch
    ) as e
    where not exists (select from app.placement as f where f.organization_id = o.organization_id and f.is_fenced)
    limit delete_expired_answers.batch
  )
  delete from app.idempotency_key as k
  using expired as e
  where
    k.organization_id = e.organization_id
    and k.key_digest = e.key_digest
    -- The condition is repeated, because a request may have claimed the row in the meantime.
    and k.created_at < now() - interval '24 hours';
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;

comment on function admin.delete_expired_answers(integer) is
  'Deletes up to batch responses that are older than 24 hours, of all organizations. Returns the number of deleted rows. A '
  'worker calls it every hour, until the number is less than batch. A claim deletes only a few rows of its own organization.';

grant execute on function admin.delete_expired_answers(integer) to leads_worker;
