-- app.csv_fields - the fields of a lead from a row of CSV.
set local role leads_owner;

create or replace function app.csv_fields("row" jsonb)
returns jsonb language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_fields jsonb := jsonb_strip_nulls(csv_fields."row");
  v_details jsonb;
begin
  if v_fields ->> 'lead_score' ~ '^-?[0-9]{1,20}(\.[0-9]{1,20})?$' then
    v_fields := jsonb_set(v_fields, '{lead_score}', to_jsonb((v_fields ->> 'lead_score')::numeric));
  end if;
  if v_fields @? 'strict $.keyvalue() ? (@.key starts with "details.")' then
    select jsonb_object_agg(substr(m.key, 9), m.value) into v_details
    from jsonb_each(v_fields) as m (key, value)
    where m.key like 'details.%';
    v_fields := v_fields - array(select k.key from jsonb_object_keys(v_fields) as k (key) where k.key like 'details.%')
      || jsonb_build_object('details', v_details);
  end if;
  return v_fields;
end $$;

comment on function app.csv_fields(jsonb) is
$$The fields as POST /leads takes them.

row: an object with a text for each column; null: the cell is empty, and the field is left out. lead_score becomes a number, if
it is one. The columns details.NAME become the members of details, as texts.$$;

grant execute on function app.csv_fields(jsonb) to leads_exec, leads_jobs;
