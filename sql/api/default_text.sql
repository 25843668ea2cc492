-- api.default_text - the default of a function's argument, as text.
set local role leads_exec;

create or replace function api.default_text(function oid, "position" integer)
returns text language plpgsql stable security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_expression text := pg_catalog.pg_get_function_arg_default(default_text.function, default_text.position);
  v_value text;
begin
  if v_expression is not null then
    execute format('select (%s)::text', v_expression) into v_value;
  end if;
  return v_value;
end $$;

comment on function api.default_text(oid, integer) is
  'The default of the argument at a position (from 1), as text. Null if the argument has no default.';
