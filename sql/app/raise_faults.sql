-- app.raise_faults - refuses a request with all its field errors.
set local role leads_owner;

create or replace function app.raise_faults(status integer, code text, errors json)
returns void language plpgsql immutable security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if raise_faults.errors is not null then
    raise exception using
      errcode = 'PT' || raise_faults.status,
      message = raise_faults.code,
      detail = raise_faults.errors::text;
  end if;
end $$;

comment on function app.raise_faults(integer, text, json) is
  'Raises PT<status> with the code as its message and the errors, a JSON array of {field, code, detail}, as its detail. '
  'Does nothing if errors is null.';

grant execute on function app.raise_faults(integer, text, json) to leads_exec, leads_jobs;
