-- admin.set_cell - tells the database which cell it is, for leads cells add.
set local role leads_jobs;

create or replace function admin.set_cell(name text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := (select c.name from auth.cell as c);
begin
  if set_cell.name is null then
    delete from auth.cell as c where c.is_only;
    delete from auth.unannounced_key;
  elsif v_name is null then
    insert into auth.cell (name) values (set_cell.name);
  elsif v_name <> set_cell.name then
    raise sqlstate 'PT409' using
      message = 'cell_has_a_name',
      hint = format(
        'This database is the cell %s. Give each cell a database of its own, or remove the name: leads cells remove %s', v_name,
        v_name
      );
  end if;
end $$;

comment on function admin.set_cell(text) is
$$Makes this database a cell with this name. From then on, a response shows a new key only when the router knows it.

name: as in the directory of the cells; null: the database is no cell any more. Raises PT409 cell_has_a_name.$$;

grant execute on function admin.set_cell(text) to leads_operator;
