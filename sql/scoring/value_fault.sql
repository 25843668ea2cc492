-- scoring.value_fault - what is wrong with the value of a signal that a client sends.
set local role leads_owner;

create or replace function scoring.value_fault(value jsonb)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_type text := jsonb_typeof(value_fault.value);
  v_texts text[];
  v_control text;
begin
  if not scoring.is_signal_value(value_fault.value) then
    return 'This must be true, false, null, a number of up to 40 digits, a text of up to 1,000 characters, or an object of '
      'up to 32 of these.';
  end if;
  if v_type = 'string' then
    v_texts := array[app.clean_text(value_fault.value #>> '{}')];
  elsif v_type = 'object' then
    v_texts := array(
      select case app.clean_text(t.text) when '' then '' else t.text end
      from jsonb_each(value_fault.value) as m (key, value)
      cross join lateral (
        values (m.key), (case jsonb_typeof(m.value) when 'string' then app.clean_text(m.value #>> '{}') end)
      ) as t (text)
      where t.text is not null
    );
  else
    return null;
  end if;
  if '' = any (v_texts) then
    return 'A text or name is blank. Send null, or leave it out.';
  end if;
  v_control := app.control_character(array_to_string(v_texts, ''));
  if v_control is not null then
    return format('The text has the control character %s. Remove it.', app.code_point(v_control));
  end if;
  return null;
end $$;

comment on function scoring.value_fault(jsonb) is
  'What is wrong with the value of a signal, as an English sentence: it violates scoring.is_signal_value, or a text or '
  'name in it is blank or has a control character. Null: nothing, also for null.';

grant execute on function scoring.value_fault(jsonb) to leads_exec;
