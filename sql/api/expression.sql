-- api.expression - the regular expression that a check is made by, for the reference.
set local role leads_exec;

create or replace function api.expression(definition text)
returns text
language sql
immutable
parallel safe
begin atomic
  select replace((regexp_match(expression.definition, '~ ''((?:[^'']|'''')+)'''))[1], '''''', '''');
end;

comment on function api.expression(text) is
  'The first regular expression in a constraint''s definition, or in a function''s source; null: there is none.';
