-- app.lead_field_rule - the sentence that tells a client what a field of a lead must be.
set local role leads_owner;

create or replace function app.lead_field_rule(kind text, max_length integer, is_nullable boolean)
returns text language sql immutable parallel safe
begin atomic
  select
    'This must be '
    || case kind
      when 'text' then format('a text of 1 to %s characters', ltrim(to_char(max_length, '999,999,999')))
      when 'email' then 'an e-mail address such as ada@example.com (a domain with a dot)'
      when 'name' then format('1 to %s characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9', max_length)
      when 'score' then 'a whole number from 0 to 100'
      when 'stage' then 'one of the organization''s pipeline stages'
      when 'phone' then format('a phone number with 3 to 20 digits, of at most %s characters', max_length)
      when 'details' then 'an object whose values are texts, numbers, true or false'
    end
    || case when is_nullable then ', or null.' else '.' end;
end;

comment on function app.lead_field_rule(text, integer, boolean) is
$$The detail of a fault of a lead's field, as an English sentence.

kind, max_length, is_nullable: as in app.lead_field.$$;

grant execute on function app.lead_field_rule(text, integer, boolean) to leads_exec, leads_intake, leads_jobs;
