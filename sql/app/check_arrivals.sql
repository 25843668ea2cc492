-- app.check_arrivals - creates the triggers of a table whose rows a move brings.
set local role leads_owner;

create or replace procedure app.check_arrivals(of_table regclass)
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  execute format(
    'create trigger _050_check_arrival before insert or update or delete on %s for each row execute function app.tg_check_arrival()',
    check_arrivals.of_table
  );
  -- TRUNCATE fires no row trigger.
  execute format(
    'create trigger _060_refuse_arrival before truncate on %s for each statement execute function app.tg_check_arrival()',
    check_arrivals.of_table
  );
  -- A request fires neither.
  execute format('alter table %s enable replica trigger _050_check_arrival', check_arrivals.of_table);
  execute format('alter table %s enable replica trigger _060_refuse_arrival', check_arrivals.of_table);
end $$;

comment on procedure app.check_arrivals(regclass) is
  'Creates the triggers that check what a move brings into a table (app.tg_check_arrival). Each table of the class data needs them.';
