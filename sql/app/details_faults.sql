-- app.details_faults - the faults of the details that a client sends for a lead.
set local role leads_owner;

create or replace function app.details_faults(details jsonb)
returns table (field text, code text, detail text)
language sql immutable parallel safe security invoker
begin atomic
  with member as (
    select
      m.key,
      m.value,
      jsonb_typeof(m.value) as type,
      case when jsonb_typeof(m.value) = 'string' then app.clean_text(m.value #>> '{}') end as text
    from jsonb_each(details_faults.details) as m (key, value)
  ),
  checked as (
    select
      m.key,
      m.text,
      case
        when char_length(m.key) > 64 or m.key collate "C" !~ '^[a-z][a-z0-9_]*$' then 'invalid_name'
        when m.type in ('object', 'array') then 'wrong_type'
        when m.type = 'number' and not scoring.is_signal_member(m.key, m.value) then 'out_of_range'
        when m.text = '' then 'blank'
        when char_length(m.text) > 1000 then 'too_long'
        when app.control_character(m.text) is not null then 'control_character'
      end as code
    from member as m
  )
  select
    'details.' || c.key,
    c.code,
    case c.code
      when 'invalid_name' then
        'A name must be 1 to 64 characters out of a-z, 0-9 and _, beginning with a letter.' || app.character_note(c.key)
      when 'out_of_range' then 'A number can have at most 40 characters.'
      when 'control_character' then
        format('The text has the control character %s. Remove it.', app.code_point(app.control_character(c.text)))
      else 'This must be a text of 1 to 1,000 characters, a number, true or false. With null, the value is removed.'
    end
  from checked as c
  where c.code is not null
  order by octet_length(c.key), c.key collate "C"
  limit 100;
end;

comment on function app.details_faults(jsonb) is
$$The faults of the members of a lead's details, at most 100, in the order of their names. details: a JSON object.

Codes: invalid_name, wrong_type, out_of_range, blank, too_long, control_character. app.details_size_faults checks the number
and the size of all members.$$;

grant execute on function app.details_faults(jsonb) to leads_exec, leads_intake, leads_jobs;
