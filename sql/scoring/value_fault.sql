-- scoring.value_fault - what is wrong with the texts in the value of a signal that a client sends.
set local role leads_owner;

create or replace function scoring.value_fault(value jsonb)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_json text;
  v_control text;
begin
  -- One regular expression for all texts and names: a body can have 12,000. In the output of jsonb,
  -- these begin with the first quotation mark, or with one after { or a space. A quotation mark in a
  -- text has a backslash before it, and the one that ends a text has no other soon after it.
  v_json := value_fault.value::text;
  if v_json collate "C" ~ ('(^|[{ ])"([' || app.invisible() || ']|\\[tnr])*"') then
    return 'A text or name is blank. Send null, or leave it out.';
  end if;
  -- U+007F to U+009F are written as they are. The others are an escape, which begins with the last of
  -- an odd number of backslashes.
  v_control := substring(v_json collate "C" from '[^\\](?:\\\\)*(\\[bf]|\\u[0-9a-f]{4}|[\u007F-\u009F])');
  if v_control is not null then
    v_control := ('"' || v_control || '"')::jsonb #>> '{}';
    return format('The text has the control character %s. Remove it.', app.code_point(v_control));
  end if;
  return null;
end $$;

comment on function scoring.value_fault(jsonb) is
  'What is wrong with the texts in a value that scoring.is_signal_value accepts, as an English sentence: a text or name is '
  'blank or has a control character. Null: nothing, also for null.';

grant execute on function scoring.value_fault(jsonb) to leads_exec, leads_intake;
