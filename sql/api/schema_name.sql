-- api.schema_name - the name of a type of schema api in the OpenAPI document.
set local role leads_exec;

create or replace function api.schema_name(type text)
returns text language sql immutable parallel safe
begin atomic
  select replace(initcap(replace(regexp_replace(schema_name.type, '^api\.', ''), '_', ' ')), ' ', '');
end;

comment on function api.schema_name(text) is
  'The words of a name in camel case: LeadItem for lead_item or api.lead_item.';
