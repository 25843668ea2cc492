-- api.input_faults - all errors in the values of a request. PostgreSQL stops at the first one.
set local role leads_exec;

create or replace function api.input_faults(names text[], types text[], texts text[])
returns json language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_errors json[] := '{}';
  v_type text;
  v_detail text;
  v_constraint text;
  v_sqlstate text;
begin
  for v_index in 1 .. cardinality(input_faults.names) loop
    select format_type(t.oid, null) into v_type
    from pg_catalog.pg_type as t
    where
      t.oid = to_regtype(input_faults.types[v_index])
      and t.typtype = 'd'
      and t.typnamespace = 'api'::regnamespace;
    begin
      if input_faults.names[v_index] = 'body' then
        perform app.read_object(input_faults.texts[v_index]);
      elsif input_faults.types[v_index] = 'timestamp with time zone' then
        perform api.read_instant(input_faults.texts[v_index]);
      else
        execute format('select %L::%s', input_faults.texts[v_index], coalesce(v_type, 'text'));
      end if;
    exception
      when sqlstate 'PT400' then
        get stacked diagnostics v_detail = pg_exception_detail;
        v_errors := v_errors || array(select f.fault from json_array_elements(v_detail::json) as f (fault));
      when check_violation or data_exception or statement_too_complex then
        get stacked diagnostics v_constraint = constraint_name, v_sqlstate = returned_sqlstate;
        v_errors := v_errors || array(
          select json_build_object('field', input_faults.names[v_index], 'code', p.field_code, 'detail', p.detail)
          from api.problem as p
          where p.raised_by in (v_constraint, v_sqlstate) and p.status = 400
        );
    end;
  end loop;
  return case when cardinality(v_errors) > 0 then array_to_json(v_errors) end;
end $$;

comment on function api.input_faults(text[], text[], text[]) is
$$The entries for errors: each text that its type refuses, and a body that is not an object. Null: none.

names: the parameters, or body. types: their types; only times and domains of schema api are checked. texts: the values
as text. The server calls this after it has found an error.$$;

grant execute on function api.input_faults(text[], text[], text[]) to leads_api;
