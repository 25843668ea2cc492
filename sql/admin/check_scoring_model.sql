-- admin.check_scoring_model - rejects a scoring model that has errors.
set local role leads_jobs;

create or replace function admin.check_scoring_model(document jsonb)
returns void language plpgsql immutable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_faults json := scoring.model_faults(check_scoring_model.document);
begin
  if v_faults is not null then
    raise sqlstate 'PT422' using
      message = 'invalid_model',
      detail = v_faults::text,
      hint = format(
        'The scoring model has %s errors. The first is in %s: %s',
        json_array_length(v_faults), v_faults -> 0 ->> 'field', v_faults -> 0 ->> 'detail'
      );
  end if;
end $$;

comment on function admin.check_scoring_model(jsonb) is
  'Raises PT422 invalid_model if the model has errors. DETAIL has all of them, as a JSON array of {field, code, detail}.';

grant execute on function admin.check_scoring_model(jsonb) to leads_operator;
