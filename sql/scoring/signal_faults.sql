-- scoring.signal_faults - the faults of the signals that a client sends.
set local role leads_owner;

create or replace function scoring.signal_faults(fields jsonb)
returns json language sql stable parallel safe
begin atomic
  with list as (
    select case jsonb_typeof(signal_faults.fields -> 'signals') when 'array' then signal_faults.fields -> 'signals' end as signals
  ),
  -- A list that is too long has only that fault.
  item as (
    select '' as path, 0::bigint as position, signal_faults.fields as signal
    where not signal_faults.fields ? 'signals'
    union all
    select 'signals[' || s.ordinality - 1 || '].', s.ordinality, s.signal
    from list as l
    cross join lateral jsonb_array_elements(
      case when jsonb_array_length(l.signals) between 1 and 200 then l.signals end
    ) with ordinality as s (signal, ordinality)
  ),
  object as (
    select g.* from item as g where jsonb_typeof(g.signal) = 'object'
  ),
  -- scoring.is_signal_value of all objects in one query. A call for each costs more.
  wrong_value as (
    select w.position
    from object as w
    cross join jsonb_each(case jsonb_typeof(w.signal -> 'value') when 'object' then w.signal -> 'value' end) as m (key, value)
    group by w.position
    having count(*) > 32 or not bool_and(scoring.is_signal_member(m.key, m.value))
    union all
    select w.position
    from object as w
    where jsonb_typeof(w.signal -> 'value') <> 'object' and not scoring.is_signal_value(w.signal -> 'value')
  ),
  fault (position, field, code, detail) as (
    select 0, k.key, 'unknown_field', 'signals must be the only field. Leave this field out.'
    from jsonb_object_keys(signal_faults.fields) as k (key)
    where signal_faults.fields ? 'signals' and k.key <> 'signals'
    union all
    select 0, 'signals', 'wrong_type', 'This must be a list of 1 to 200 signals.'
    from list as l
    where signal_faults.fields ? 'signals' and (jsonb_array_length(l.signals) between 1 and 200) is not true
    union all
    select g.position, rtrim(g.path, '.'), 'wrong_type', 'A signal is an object.'
    from item as g
    where jsonb_typeof(g.signal) <> 'object'
    union all
    select w.position, w.path || k.key, 'unknown_field', 'A signal has type, value, observed_at and dedupe_key.'
    from object as w
    cross join jsonb_object_keys(w.signal - '{type,value,observed_at,dedupe_key}'::text[]) as k (key)
    union all
    select
      w.position, w.path || 'type',
      case
        when not w.signal ? 'type' then 'required'
        when jsonb_typeof(w.signal -> 'type') <> 'string' then 'wrong_type'
        else 'invalid_name'
      end,
      'This must be 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      || case jsonb_typeof(w.signal -> 'type')
        when 'string' then app.character_note(w.signal ->> 'type')
        else ''
      end
    from object as w
    where (jsonb_typeof(w.signal -> 'type') = 'string' and app.is_name(w.signal ->> 'type')) is not true
    union all
    select
      w.position, w.path || 'value', 'invalid_value',
      'This must be true, false, null, a number of up to 40 digits, a text of up to 1,000 characters, or an object of up '
      'to 32 of these.'
    from object as w
    where w.position in (select v.position from wrong_value as v)
    union all
    (
      select w.position, w.path || 'value', 'invalid_value', v.fault
      from (
        select o.* from object as o where o.position not in (select v.position from wrong_value as v) order by o.position
      ) as w
      -- OFFSET 0, or the planner calls the function twice.
      cross join lateral (select scoring.value_fault(w.signal -> 'value') as fault offset 0) as v
      where v.fault is not null
      limit 100
    )
    union all
    select
      w.position, w.path || 'observed_at', 'invalid_timestamp',
      'This must be a date such as 2026-04-27 (midnight UTC), or a date and time with Z or an offset such as '
      '2026-04-27T13:22:05Z.'
    from object as w
    where
      jsonb_typeof(w.signal -> 'observed_at') <> 'null'
      and (
        jsonb_typeof(w.signal -> 'observed_at') <> 'string'
        or app.read_instant(w.signal ->> 'observed_at') is null
      )
    union all
    select
      w.position, w.path || 'dedupe_key', 'invalid_dedupe_key',
      'This must be a text of 1 to 255 characters.'
      || case jsonb_typeof(w.signal -> 'dedupe_key')
        when 'string' then coalesce(
          ' The text has the control character '
          || app.code_point(app.control_character(app.clean_text(w.signal ->> 'dedupe_key'))) || '.',
          ''
        )
        else ''
      end
    from object as w
    where
      jsonb_typeof(w.signal -> 'dedupe_key') <> 'null'
      and (
        jsonb_typeof(w.signal -> 'dedupe_key') <> 'string'
        or not app.is_text(app.clean_text(w.signal ->> 'dedupe_key'), 255)
        or app.control_character(app.clean_text(w.signal ->> 'dedupe_key')) is not null
      )
  )
  select json_agg(
    json_build_object('field', left(f.field, 100), 'code', f.code, 'detail', f.detail)
    order by f.position, f.field, f.code
  )
  from (select f.* from fault as f order by f.position, f.field, f.code limit 100) as f;
end;

comment on function scoring.signal_faults(jsonb) is
$$The first 100 faults of a signal, or of {"signals": […]}, as a JSON array of {field, code, detail}; null if there is no
fault.

Codes: required, unknown_field, wrong_type, invalid_name, invalid_value, invalid_timestamp, invalid_dedupe_key. Fields of
a list read signals[0].type. The CHECKs of scoring.signal refuse the same values from any writer, except blank texts, and
invisible and control characters.$$;

grant execute on function scoring.signal_faults(jsonb) to leads_exec;
