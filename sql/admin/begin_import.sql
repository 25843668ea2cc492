-- admin.begin_import - begins the import of a file, or returns how far it has come.
set local role leads_jobs;

create or replace function admin.begin_import(organization_id uuid, file_digest bytea, is_again boolean default false)
returns table (rows_done integer, created integer, updated integer, skipped integer, failed integer, is_complete boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(begin_import.organization_id)).organization_id;
begin
  perform admin.check_settled(v_organization_id);
  insert into admin.lead_import (organization_id, file_digest)
  values (v_organization_id, begin_import.file_digest)
  on conflict (organization_id, file_digest) do nothing;
  if begin_import.is_again then
    update admin.lead_import as i
    set rows_done = 0, created = 0, updated = 0, skipped = 0, failed = 0, is_complete = false
    where i.organization_id = v_organization_id and i.file_digest = begin_import.file_digest and i.is_complete;
  end if;
  return query
  select i.rows_done, i.created, i.updated, i.skipped, i.failed, i.is_complete
  from admin.lead_import as i
  where i.organization_id = v_organization_id and i.file_digest = begin_import.file_digest;
end $$;

comment on function admin.begin_import(uuid, bytea, boolean) is
$$How far the import of a file has come: the rows from its beginning that are done, and what happened to them.

file_digest: SHA-256 of the file. is_again: whether to begin again with the first row, if the import has come to its end. Raises PT404 organization_not_found and PT409
organization_erased and move_has_begun.$$;

grant execute on function admin.begin_import(uuid, bytea, boolean) to leads_operator;
