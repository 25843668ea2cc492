-- admin.tg_import_line__store - stores a row that leads import sends with COPY.
set local role leads_jobs;

create or replace function admin.tg_import_line__store()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into admin.import_row (organization_id, file_digest, position, fields)
  values (new.organization_id, new.file_digest, new.position, new.fields);
  return new;
end $$;

comment on function admin.tg_import_line__store() is
  'Trigger: stores the row in admin.import_row. PostgreSQL refuses COPY to a table with row-level security.';
