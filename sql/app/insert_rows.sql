-- app.insert_rows - inserts rows that another cell has sent as JSON.
set local role leads_owner;

create or replace function app.insert_rows(relation text, organization_id uuid, rows jsonb)
returns bigint language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_columns text;
  v_count bigint;
begin
  -- By name, so that a column that was added since is carried, too; one that the rows lack gets its default.
  v_columns := (
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
    from pg_catalog.pg_attribute as a
    where
      a.attrelid = insert_rows.relation::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      and insert_rows.rows -> 0 ? a.attname
  );
  if v_columns is null then
    return 0;
  end if;
  execute format(
    'insert into %1$s (%2$s) select %2$s from jsonb_populate_recordset(null::%1$s, $1) where organization_id = $2',
    insert_rows.relation::regclass, v_columns
  )
  using insert_rows.rows, insert_rows.organization_id;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

comment on function app.insert_rows(text, uuid, jsonb) is
  'Inserts the rows of this organization, with the rights of the caller, and returns their number. rows: an array of objects, all '
  'with the same members.';

grant execute on function app.insert_rows(text, uuid, jsonb) to leads_auth, leads_jobs;
