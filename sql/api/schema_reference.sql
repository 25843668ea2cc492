-- api.schema_reference - a reference to a schema of the OpenAPI document.
set local role leads_exec;

create or replace function api.schema_reference(type text)
returns text language sql immutable parallel safe
begin atomic
  select '{"$ref":"#/components/schemas/' || api.schema_name(schema_reference.type) || '"}';
end;

comment on function api.schema_reference(text) is 'A JSON Schema, as text, that refers to the schema of a type of schema api. Null for null.';
