-- api.schema_name - what the reference calls a type of schema api.
set local role leads_exec;

create or replace function api.schema_name(type text)
returns text
language sql
immutable
parallel safe
begin atomic
  select replace(initcap(replace(regexp_replace(schema_name.type, '^api\.', ''), '_', ' ')), ' ', '');
end;

comment on function api.schema_name(text) is 'LeadItem for lead_item, with or without its schema.';
