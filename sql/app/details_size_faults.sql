-- app.details_size_faults - the field error of details that are too large.
set local role leads_owner;

create or replace function app.details_size_faults(details jsonb)
returns json language plpgsql immutable strict parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if (select count(*) from jsonb_object_keys(details_size_faults.details)) > 50 then
    return json_build_array(json_build_object(
      'field', 'details', 'code', 'too_many', 'detail', 'A lead can have at most 50 details. Send fewer, or remove some with null.'
    ));
  elsif octet_length(details_size_faults.details::text) > 16384 then
    return json_build_array(json_build_object(
      'field', 'details', 'code', 'too_large', 'detail', 'The details of a lead can have at most 16 KiB as JSON. Send shorter ones.'
    ));
  end if;
  return null;
end $$;

comment on function app.details_size_faults(jsonb) is
  'A JSON array with the error of details that have more than 50 members or more than 16,384 bytes; null if there is none. '
  'app.is_details has the same limits. details: a JSON object as it is stored.';

grant execute on function app.details_size_faults(jsonb) to leads_exec, leads_intake, leads_jobs;
