-- audit.erased_payload - replaces the personal values in an event's payload.
set local role leads_owner;

create or replace function audit.erased_payload(payload json)
returns json language sql immutable parallel safe
begin atomic
  select ('{' || string_agg(to_json(m.key)::text || ':' || left_over.value, ',' order by m.number) || '}')::json
  from json_each(erased_payload.payload) with ordinality as m (key, value, number)
  cross join lateral (
    select
      case
        when m.value::text = 'null' then 'null'
        -- Our own ids, the actor, the result of a push, and the id of a trace.
        when
          m.key in (
            'lead_id', 'signal_id', 'score_id', 'sync_id', 'api_key_id', 'crm_connection_id', 'organization',
            'scoring_model', 'pipeline_stage', 'key_id', 'role', 'vendor', 'attempts', 'error_code', 'trace_id'
          )
          then m.value::text
        when m.key = 'diff' then (
          select
            '{'
            || coalesce(
              string_agg(
                to_json(d.key)::text || ':' || case
                  when d.key in ('lead_score', 'pipeline_stage', 'source') or d.key like '%\_at' then d.value::text
                  else '{"erased": true}'
                end,
                ',' order by d.number
              ),
              ''
            )
            || '}'
          from json_each(m.value) with ordinality as d (key, value, number)
        )
        else '{"erased": true}'
      end as value
  ) as left_over;
end;

comment on function audit.erased_payload(json) is
$$The payload with {"erased": true} in place of each value that may identify a person. The order of the members is kept.

These values stay: our own ids, the actor, the trace id, a push's vendor, attempts and error_code, and in the diff lead_score,
pipeline_stage, source and times. The result for an erased payload is the same payload.$$;

-- audit.chain_verdict calls it with the rights of its own callers.
grant execute on function audit.erased_payload(json) to leads_eraser, leads_exec, leads_jobs;
