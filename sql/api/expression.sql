-- api.expression - the regular expression in a check, for the reference.
set local role leads_exec;

create or replace function api.expression(definition text)
returns text language sql immutable parallel safe
begin atomic
  select replace((regexp_match(expression.definition, '~ ''((?:[^'']|'''')+)'''))[1], '''''', '''');
end;

comment on function api.expression(text) is
  'The first regular expression in the definition of a constraint or the source of a function. Null if there is none.';
