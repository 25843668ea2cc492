-- audit.delete_rows - deletes the rows of an organization that another cell has.
set local role leads_eraser;

create or replace function audit.delete_rows(organization_id uuid, batch integer)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
set enable_sort = off
as $$
declare
  v_table record;
  v_count bigint;
  v_deleted bigint := 0;
begin
  if not exists (
    select
    from app.placement as p
    where p.organization_id = delete_rows.organization_id and p.state in ('moved', 'arriving')
  )
  then
    raise sqlstate 'PT409' using message = 'refused', hint = 'Only the rows of an organization that another cell has can be deleted.';
  end if;
  for v_table in
    select c.relation, quote_ident(a.attname) as key
    from admin.table_class() as c
    join pg_catalog.pg_index as i on i.indrelid = c.relation::regclass and i.indisprimary
    -- The second column of the primary key. app.organization and three others have one column only, and one row.
    join pg_catalog.pg_attribute as a
      on a.attrelid = i.indrelid and a.attnum = coalesce(nullif(i.indkey[1], 0), i.indkey[0])
    where c.relation <> 'app.placement'
    order by c.position desc
  loop
    execute format(
      'delete from %1$s where organization_id = $1 and %2$s = any (array(select %2$s from %1$s where organization_id = $1 limit $2))',
      v_table.relation::regclass, v_table.key
    )
    -- A key can refer to another one, so that all of them go at once.
    using delete_rows.organization_id, case when v_table.relation <> 'auth.api_key' then delete_rows.batch end;
    get diagnostics v_count = row_count;
    v_deleted := v_deleted + v_count;
    exit when v_deleted >= delete_rows.batch;
  end loop;
  return v_deleted;
end $$;

comment on function audit.delete_rows(uuid, integer) is
$$Deletes about batch rows of an organization whose move has ended here, or that arrives, and returns their number. 0: none is left.

It deletes events and seals, too, which nothing else does. Raises PT409 refused for any other organization.$$;

grant execute on function audit.delete_rows(uuid, integer) to leads_jobs;
