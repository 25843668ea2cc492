-- api.input_faults - all values that don't fit their domains: a cast in a statement stops at the first.
set local role leads_exec;

create or replace function api.input_faults(names text[], types text[], given text[])
returns json
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_errors json[] := '{}';
  v_type text;
  v_constraint text;
begin
  for v_index in 1 .. cardinality(input_faults.names) loop
    select format_type(t.oid, null) into v_type
    from pg_catalog.pg_type as t
    where
      t.oid = to_regtype(input_faults.types[v_index])
      and t.typtype = 'd'
      and t.typnamespace = 'api'::regnamespace;
    begin
      execute format('select %L::%s', input_faults.given[v_index], coalesce(v_type, 'text'));
    exception
      when check_violation then
        get stacked diagnostics v_constraint = constraint_name;
        v_errors := v_errors || (
          select json_build_object('field', input_faults.names[v_index], 'code', p.field_code, 'detail', p.detail)
          from api.problem as p
          where p.raised_by = v_constraint
        );
    end;
  end loop;
  return case when cardinality(v_errors) > 0 then array_to_json(v_errors) end;
end
$$;

comment on function api.input_faults(text[], text[], text[]) is
$$An entry for errors for each value that breaks its domain's CHECK; null where there is none.

names: the parameters; types: their types (other than a domain of this schema is passed over); given: their values as
text. The shim asks this once it knows of a fault.$$;

grant execute on function api.input_faults(text[], text[], text[]) to leads_api;
